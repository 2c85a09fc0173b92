from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from betterproto2 import Message

import extproc
from extproc.certificates import Certificate
from extproc.envoyconf.files import Files, Folder
from extproc.envoyconf.render.discovery import files, processor_files
from extproc.envoyconf.secrets import Secret, Text
from extproc.envoyconf.topology import Topology
from extproc.envoyconf.upstreams import ProcessorTls

Make = Callable[..., Topology]
FOLDER = Folder("/run/envoy", dynamic=True)
OURS = str(Path(extproc.__file__).parent)


def steps(work: Callable[[], object]) -> int:
    """Count the instructions of our modules that run."""
    count = 0

    def on_step(_frame: FrameType, event: str, _value: object) -> Any:
        nonlocal count
        count += event == "opcode"
        return on_step

    def on_call(frame: FrameType, _event: str, _value: object) -> Any:
        frame.f_trace_opcodes = frame.f_code.co_filename.startswith(OURS)
        return on_step if frame.f_trace_opcodes else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture
def make_files(make_topology: Make) -> Callable[..., Files]:
    return lambda *agents: files(make_topology(*agents, folder=FOLDER), {})


def test_listeners_say_where_their_routes_are(make_files: Callable[..., Files]) -> None:
    made = make_files({"id": "a", "url": "http://a"})
    assert made.routes.keys() == {"routes-travel.json", "routes-outerloop.egress.json"}
    listeners = made.listeners.content.decode()
    assert "/run/envoy/routes-travel.json" in listeners
    assert "agent/a" not in listeners
    resources = json.loads(made.clusters.content)["resources"]
    assert [each["name"] for each in resources] == ["agent/a"]
    assert resources[0]["outlier_detection"]["enforcing_consecutive_5xx"] == 0


def test_a_change_of_hosts_changes_no_cluster(make_files: Callable[..., Files]) -> None:
    one, two = (
        make_files({"id": "a", "endpoints": ["http://10.0.0.9", f"http://10.0.0.{number}"]})
        for number in (1, 2)
    )
    assert one.clusters == two.clusters
    ((name, before),) = one.endpoints.items()
    ((same, after),) = two.endpoints.items()
    assert name == same
    assert before.version != after.version
    assert name in one.clusters.content.decode()
    (assignment,) = json.loads(after.content)["resources"]
    assert assignment["cluster_name"] == "agent/a"
    assert "10.0.0.2" in after.content.decode()


def test_a_cluster_that_changes_itself_gets_another_file(make_files: Callable[..., Files]) -> None:
    agent = {"id": "a", "endpoints": ["http://10.0.0.1", "http://10.0.0.2"]}
    one, two = make_files(agent), make_files({**agent, "load_balancing": "random"})
    assert one.endpoints.keys() != two.endpoints.keys()
    assert one.clusters != two.clusters


def test_a_change_of_agents_changes_no_listener(make_files: Callable[..., Files]) -> None:
    one = make_files({"id": "a", "url": "http://a"})
    two = make_files({"id": "a", "url": "http://a"}, {"id": "b", "url": "http://b"})
    assert one.listeners == two.listeners
    assert one.clusters.version != two.clusters.version
    assert one == make_files({"id": "a", "url": "http://a"})
    assert json.loads(two.clusters.content)["version_info"] == two.clusters.version


def test_secrets_have_files_of_their_own(make_topology: Make) -> None:
    topology = make_topology({"id": "a", "url": "https://a", "access_key": "sk-1"}, folder=FOLDER)
    secrets: dict[str, Secret] = {"agent-a-key": Text("sk-1"), "c": Certificate(b"chain", b"key")}
    made = files(topology, secrets)
    assert made.secrets.keys() == {"secret-agent-a-key.json", "secret-c.json"}
    assert b"sk-1" in made.secrets["secret-agent-a-key.json"].content
    assert b"sk-1" not in made.clusters.content
    assert b"secret-agent-a-key.json" in made.clusters.content
    assert "sk-1" not in repr(made)


def test_the_processor_s_secrets_are_files_that_name_files(make_topology: Make) -> None:
    plain = make_topology()
    assert processor_files(plain) == {}
    ours = ProcessorTls("/ca.crt", "/tls.crt", "/tls.key", san="processor.test")
    told = replace(plain, processor_tls=ours)
    made = processor_files(told)
    assert made.keys() == {
        "secret-processor-ca.json",
        "secret-processor-certificate.json",
    }
    assert made.items() <= files(told, {}).secrets.items()
    (secret,) = json.loads(made["secret-processor-certificate.json"].content)["resources"]
    assert secret["name"] == "processor-certificate"
    assert secret["tls_certificate"]["private_key"] == {"filename": "/tls.key"}


def agents(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"agent-{number}",
            "url": f"http://127.0.0.1:{number + 1}",
            "access_key": "key",
            "fallback": f"agent-{number ^ 1}",
        }
        for number in range(count)
    ]


def test_twice_as_many_agents_are_twice_the_work(make_files: Callable[..., Files]) -> None:
    counts = (2, 10, 20, 40)
    # The first time is another: of each type of message it is found out what it has.
    _, few, some, many = (steps(partial(make_files, *agents(count))) for count in counts)
    assert many - some == pytest.approx(2 * (some - few), rel=0.001)


def test_messages_are_neither_encoded_nor_asked_to_write_themselves(
    make_files: Callable[..., Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each of a thousand agents, that takes longer than all else."""

    def slow(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("to_dict", "__bytes__", "parse"):
        monkeypatch.setattr(Message, name, slow)
    assert b"agent-3" in make_files(*agents(4)).clusters.content
