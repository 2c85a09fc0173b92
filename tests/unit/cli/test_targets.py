from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from extproc.cli.failures import Failure
from extproc.cli.targets import TARGETS, Order
from extproc.config.load import loads
from extproc.manifests.source import Unrenderable

FILE = """
version: v1
agents:
  - {{id: a, url: "http://127.0.0.1:1", access_key: s3cret, headers: {{x-team: s3cret}}}}
  - {{id: b, endpoints: ["http://127.0.0.1:2", "http://127.0.0.1:3"]}}
listeners: [{{name: l, port: 8001, agents: [{{id: a}}, {{id: b}}]}}]
{more}
"""


def order(more: str = "", directory: Path | None = None) -> Order:
    return Order(loads(FILE.format(more=more), "f", {}), (), directory)


@pytest.mark.parametrize("target", ["bootstrap", "envoy-snippet"])
def test_an_envoys_part_is_one_file_without_secrets(target: str) -> None:
    rendered = TARGETS[target](order())
    [(name, text)] = rendered.files.items()
    assert name == f"{target}.yaml"
    assert "s3cret" not in text
    keys = [note for note in rendered.notes if "is not rendered" in note]
    assert [note.split(" is not ")[0] for note in keys] == [
        "agents: a: access_key",
        "agents: a: headers.x-team",
    ]
    assert "/etc/outerloop/secret-agent-a-key.json" in keys[0]


def test_what_envoy_reads_again_is_a_folder(tmp_path: Path) -> None:
    rendered = TARGETS["xds"](order(directory=tmp_path))
    assert {"bootstrap.yaml", "clusters.json", "listeners.json", "routes-l.json"} <= {
        *rendered.files
    }
    assert "s3cret" not in "".join(rendered.files.values())
    source = yaml.safe_load(rendered.files["bootstrap.yaml"])["dynamic_resources"]["lds_config"]
    assert source["path_config_source"]["path"] == str(tmp_path / "listeners.json")


def test_a_folder_must_be_named_for_it() -> None:
    with pytest.raises(Failure, match="-o DIR"):
        TARGETS["xds"](order())


@pytest.mark.parametrize("url", ["https://127.0.0.1:9", "http://gw:9", "http://127.0.0.1:9/out"])
def test_an_envoy_listens_where_it_can(url: str) -> None:
    with pytest.raises(Unrenderable, match=r"egress\.url"):
        TARGETS["envoy-snippet"](order(f"egress: {{url: '{url}'}}"))


def test_workers_are_where_the_file_says() -> None:
    more = "deploy: {processor: {addresses: ['10.0.0.7:9001', 'unix:/run/p.sock']}}"
    [text] = TARGETS["bootstrap"](order(more)).files.values()
    [processor] = [
        each
        for each in yaml.safe_load(text)["static_resources"]["clusters"]
        if each["name"] == "processor"
    ]
    [group] = processor["load_assignment"]["endpoints"]
    assert [each["endpoint"]["address"] for each in group["lb_endpoints"]] == [
        {"socket_address": {"address": "10.0.0.7", "port_value": 9001}},
        {"pipe": {"path": "/run/p.sock"}},
    ]


def test_what_says_something_of_a_whole_envoy_is_named() -> None:
    notes = TARGETS["envoy-snippet"](order("limits: {decompress: [gzip]}")).notes
    assert any(note.startswith("limits.decompress: ") for note in notes)


def test_certificates_for_the_processor_are_named_in_files_of_their_own() -> None:
    tls = "{san: processor, ca: /ca.crt, certificate: /tls.crt, key: /tls.key}"
    rendered = TARGETS["bootstrap"](order(f"deploy: {{processor: {{tls: {tls}}}}}"))
    bootstrap, ca, certificate = rendered.files.values()
    assert list(rendered.files)[1:] == [
        "secret-processor-ca.json",
        "secret-processor-certificate.json",
    ]
    assert "/etc/outerloop/secret-processor-ca.json" in bootstrap
    assert "/ca.crt" in ca
    assert "/tls.key" in certificate


def test_workers_with_names_are_looked_up() -> None:
    more = "deploy: {processor: {addresses: ['outerloop.agents:9001']}}"
    [text] = TARGETS["bootstrap"](order(more)).files.values()
    clusters = {each["name"]: each for each in yaml.safe_load(text)["static_resources"]["clusters"]}
    assert clusters["processor"]["type"] == "STRICT_DNS"
