"""The real Envoy accepts what is rendered, without a warning."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from trustme import CA

from extproc.address import PipeAddress, SocketAddress
from extproc.config.model.root import Config
from extproc.envoyconf.build import Places, build
from extproc.envoyconf.files import Folder
from extproc.envoyconf.render.bootstrap import render
from extproc.envoyconf.render.discovery import files
from extproc.envoyconf.secrets import secrets

EXAMPLES = Path(__file__).parents[2] / "examples"
FULL: dict[str, Any] = {
    "version": "v1",
    "agents": [
        {
            "id": "weather",
            "url": "http://localhost:10510/team/v1",
            "timeout": "300s",
            "idle_timeout": "30s",
            "retries": {
                "num_retries": 3,
                "retry_on": ["connect-failure", "reset", 503],
                "per_try_timeout": "60s",
            },
            "circuit_breaker": {"max_connections": 1, "max_retries": 0},
            "outlier_detection": {"max_ejection_percent": 50, "interval": "250ms"},
        },
        {"id": "ipv6", "url": "http://[::1]:10520", "http2": True},
        {"id": "named", "url": "http://agents.invalid", "retries": {"num_retries": 0}},
        {
            "id": "calm",
            "url": "http://a.invalid",
            "outlier_detection": {"consecutive_gateway_failure": 0},
        },
        {
            "id": "many",
            "endpoints": ["https://one.invalid/team", "https://two.invalid:8443/team"],
            "failover": ["https://10.9.0.1/team"],
            "load_balancing": "maglev",
            "session_affinity": {"header": "x-user-id"},
            "health_check": {"path": "/healthz?full=1", "interval": "500ms"},
            "mirror": {"url": "http://copies.invalid", "percent": 12.5},
        },
        {
            "id": "split",
            "variants": [
                {"id": "stable", "weight": 95, "url": "http://10.0.0.1"},
                {
                    "id": "canary",
                    "weight": 5,
                    "endpoints": ["http://a.invalid", "http://b.invalid"],
                },
                {"id": "off", "weight": 0, "url": "http://10.0.0.3"},
            ],
            "session_affinity": {"header": "x-user-id"},
        },
        {
            "id": "model",
            "url": "https://models.invalid/v1",
            "access_key": "sk-1",
            "headers": {"x-team": "100%"},
        },
    ],
    "listeners": [
        {
            "name": "one",
            "port": 0,
            "agents": [{"id": each} for each in ("weather", "named", "many", "split", "model")],
        },
        {"name": "two", "address": "::1", "port": 0, "agents": [{"id": "ipv6"}, {"id": "calm"}]},
    ],
    "limits": {
        "max_request_bytes": "1GiB",
        "max_connections": 1,
        "decompress": ["gzip", "br", "zstd"],
    },
    "observability": {"response_headers": "full"},
}


@pytest.fixture(scope="session")
def envoy() -> str:
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    binary = shutil.which("envoy", path=beside)
    assert binary is not None, "make install puts envoy beside python"
    return binary


def validate(envoy: str, folder: Path, config: dict[str, Any]) -> None:
    model = Config.model_validate(config)
    topology = build(
        model,
        Places(
            (PipeAddress("/run/worker-0.sock"), SocketAddress("127.0.0.1", 9001)),
            PipeAddress(str(folder / "admin.sock")),
            folder=Folder(str(folder), dynamic=False),
        ),
    )
    for name, file in files(topology, secrets(model)).secrets.items():
        (folder / name).write_bytes(file.content)
    path = folder / "bootstrap.yaml"
    path.write_text(render(topology))
    command = (envoy, "--mode", "validate", "--log-level", "warn", "--config-path", str(path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("example", ["minimal", "travel"])
def test_the_examples(envoy: str, tmp_path: Path, example: str) -> None:
    text = (EXAMPLES / example / "outerloop.yaml").read_text()
    validate(envoy, tmp_path, yaml.safe_load(text))


def test_every_key_that_has_an_effect(envoy: str, tmp_path: Path) -> None:
    validate(envoy, tmp_path, FULL)


@pytest.mark.parametrize("level", ["none", "basic"])
def test_other_levels_and_destinations(envoy: str, tmp_path: Path, level: str) -> None:
    for log in (None, str(tmp_path / "access.jsonl")):
        told = {"response_headers": level, "access_log": log}
        validate(envoy, tmp_path, FULL | {"observability": told})


def test_https_with_own_authority_and_client_certificate(envoy: str, tmp_path: Path) -> None:
    authority = CA()
    ours = authority.issue_cert("client.invalid")
    ca, certificate, key = (str(tmp_path / name) for name in ("ca.pem", "us.pem", "us.key"))
    authority.cert_pem.write_to_path(ca)
    ours.cert_chain_pems[0].write_to_path(certificate)
    ours.private_key_pem.write_to_path(key)
    tls = {"ca": ca, "certificate": certificate, "key": key}
    agents = [
        {"id": "named", "url": "https://agents.invalid/v1", "tls": tls, "http2": True},
        {"id": "literal", "url": "https://127.0.0.1:8443", "tls": {"ca": ca}},
    ]
    listeners = [{"name": "one", "port": 0, "agents": [{"id": "named"}, {"id": "literal"}]}]
    validate(envoy, tmp_path, {"version": "v1", "agents": agents, "listeners": listeners})
