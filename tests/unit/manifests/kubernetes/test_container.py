from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from extproc.cli import run
from extproc.cli.app import cli
from extproc.manifests.kubernetes.container import container
from extproc.manifests.source import Source

Make = Callable[..., Source]

PAIR = {"san": "outerloop", "secret": "pair"}


def args(source: Source) -> str:
    return " ".join(container(source)["args"])


def test_it_serves_with_one_worker(make_source: Make) -> None:
    assert args(make_source()) == (
        "serve -c /etc/outerloop/outerloop.yaml --bind 0.0.0.0:9001 --admin 0.0.0.0:9902 "
        "--drain-time 30"
    )


@pytest.mark.parametrize(
    ("more", "client_ca"),
    [({}, False), ({"client_secret": "gateway"}, True), ({"certificate": "c", "key": "k"}, True)],
)
def test_with_tls_it_asks_for_certificates_where_the_gateway_has_one(
    make_source: Make, more: dict[str, str], *, client_ca: bool
) -> None:
    source = make_source(deploy={"processor": {"tls": PAIR | more}})
    folder = "/etc/outerloop-tls"
    assert f"--tls-certificate {folder}/tls.crt --tls-key {folder}/tls.key" in args(source)
    assert (f"--tls-client-ca {folder}/ca.crt" in args(source)) == client_ca
    mount = container(source)["volumeMounts"][-1]
    assert mount == {"name": "tls", "mountPath": folder, "readOnly": True}


def test_serve_knows_the_arguments(make_source: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the file, which is not there."""
    tls = {"processor": {"tls": PAIR | {"client_secret": "gateway"}}}
    asked: list[Any] = []
    monkeypatch.setattr("extproc.cli.server_tls.server_tls", lambda *_, **__: None)
    monkeypatch.setattr(run, "serve", lambda *given: asked.append(given))
    result = CliRunner().invoke(cli, container(make_source(deploy=tls))["args"])
    assert result.exit_code == 0, result.output
    [(options, bind, _)] = asked
    assert (options.admin, options.workers, bind) == ("0.0.0.0:9902", 1, "0.0.0.0:9001")
    assert (str(options.file), options.drain_time) == ("/etc/outerloop/outerloop.yaml", 30.0)


def test_probes_ask_the_admin(make_source: Make) -> None:
    made = container(make_source())
    ports = {each["name"]: each["containerPort"] for each in made["ports"]}
    assert ports == {"grpc": 9001, "admin": 9902}
    paths = {name: made[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert all(each["port"] == "admin" for each in paths.values())
    assert [each["path"] for each in paths.values()] == ["/readyz", "/readyz", "/healthz"]
    startup = made["startupProbe"]
    # `serve` gives up after 60 s by itself, and says why.
    assert startup["periodSeconds"] * startup["failureThreshold"] > 60


def test_it_may_write_to_its_scratch_folder_alone(make_source: Make) -> None:
    made = container(make_source())
    assert made["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    config, scratch = made["volumeMounts"]
    assert config == {"name": "config", "mountPath": "/etc/outerloop", "readOnly": True}
    assert scratch == {"name": "scratch", "mountPath": "/tmp"}
    assert made["env"] == [{"name": "TMPDIR", "value": "/tmp"}]


def test_folders_are_mounted_not_files(make_source: Make) -> None:
    """A single file would stay what it was when its ConfigMap changes."""
    assert all("subPath" not in each for each in container(make_source())["volumeMounts"])


def test_variables_do_not_move_the_scratch_folder(make_source: Make) -> None:
    agent = {"id": "a", "url": "http://a", "headers": {"x-a": "$TMPDIR", "x-b": "$TEAM"}}
    assert [each["name"] for each in container(make_source(agent))["env"]] == ["TMPDIR", "TEAM"]


def test_it_asks_for_what_it_needs_and_is_not_throttled(make_source: Make) -> None:
    resources = container(make_source())["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


def test_the_image(make_source: Make) -> None:
    assert container(make_source())["image"].startswith("outerloop-extproc:")
    chosen = make_source(deploy={"image": "registry.test/o@sha256:abc"})
    assert container(chosen)["image"] == "registry.test/o@sha256:abc"
