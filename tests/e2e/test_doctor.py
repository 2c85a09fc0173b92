"""`outerloop doctor` against gateways that are right, and some that are deliberately not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from tests.e2e.gateway import ENVOY, OUTERLOOP, Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process, ScriptedServer, Stack

Change = Callable[[dict[str, Any]], None]
Attach = Callable[[Change], Gateway]
Json = dict[str, Any]

STREAM = ("--header", "x-test-sse: 4,0.15")
"""So echo agents stream, slowly enough to be seen doing so."""
MOST_PROMPTS = 8
LIMITS = "limits: {max_request_bytes: 6MiB}"
ENVOY_PREFIX = "envoy-"
EXT_PROC = "envoy.filters.http.ext_proc"
HOLDS_ANSWERS = """
function envoy_on_response(handle)
  local body = handle:body()
  if body then body:length() end
end
"""


@dataclass(frozen=True)
class Report:
    """What the command said."""

    code: int
    told: Json
    err: str

    def named(self, outcome: str) -> set[str]:
        return {each["name"] for each in self.told["probes"] if each["outcome"] == outcome}

    def seen(self, name: str) -> str:
        return next(str(each["seen"]) for each in self.told["probes"] if each["name"] == name)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [OUTERLOOP, "doctor", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def diagnose(url: str, *options: str) -> Report:
    done = run("--gateway", url, *STREAM, "--json", *options)
    return Report(done.returncode, json.loads(done.stdout), done.stderr)


def manager(bootstrap: Json) -> Json:
    chain = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]
    return next(
        config
        for config in (each["typed_config"] for each in chain["filters"])
        if "http_filters" in config
    )


def deciding(bootstrap: Json) -> Iterator[Json]:
    """Yield the ext_proc filters that ask for decisions."""
    for each in manager(bootstrap)["http_filters"]:
        config = each["typed_config"]
        config = config.get("extension_config", {}).get("typed_config", config)
        if config.get("processing_mode", {}).get("request_body_mode") == "BUFFERED":
            yield config


def setting(**values: Any) -> Change:
    """Change settings of the filters that decide; None takes them away."""

    def change(bootstrap: Json) -> None:
        for config in deciding(bootstrap):
            config.update(values)
            for name in [name for name, value in values.items() if value is None]:
                del config[name]

    return change


def drop(bootstrap: Json, *names: str) -> None:
    config = manager(bootstrap)
    config["http_filters"] = [each for each in config["http_filters"] if each["name"] not in names]
    for host in config["route_config"]["virtual_hosts"]:
        for route in host["routes"]:
            for name in names:
                route.get("typed_per_filter_config", {}).pop(name, None)


def no_filter(bootstrap: Json) -> None:
    drop(bootstrap, "outerloop.decide", EXT_PROC, "outerloop.answers")


def no_early_mutation(bootstrap: Json) -> None:
    del manager(bootstrap)["early_header_mutation_extensions"]


def asked_by_header(bootstrap: Json) -> None:
    """Leave the filter alone that is skipped where an agent is named."""
    no_early_mutation(bootstrap)
    drop(bootstrap, "outerloop.decide")


def no_buffers(bootstrap: Json) -> None:
    drop(bootstrap, "envoy.filters.http.buffer")
    del bootstrap["static_resources"]["listeners"][0]["per_connection_buffer_limit_bytes"]


def held_answers(bootstrap: Json) -> None:
    lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    config = {"@type": lua, "default_source_code": {"inline_string": HOLDS_ANSWERS}}
    router = {"name": "envoy.filters.http.lua", "typed_config": config}
    manager(bootstrap)["http_filters"].insert(-1, router)


def no_trailers(bootstrap: Json) -> None:
    for config in deciding(bootstrap):
        del config["processing_mode"]["request_trailer_mode"]


def first_alone(bootstrap: Json) -> None:
    drop(bootstrap, EXT_PROC)


def http1_to_the_processor(bootstrap: Json) -> None:
    for cluster in bootstrap["static_resources"]["clusters"]:
        if cluster["name"] == "processor":
            del cluster["typed_extension_protocol_options"]
            del cluster["health_checks"]


TOO_FEW = {"disallow_all": True, "allow_expression": {"regex": "^x-outerloop-(agent|plan)$"}}

FAULTS = {
    # what is changed: what must be found from outside, and what in the configuration
    "no filter": (no_filter, {"processor"}, {"envoy-ext-proc"}),
    "no early mutation": (no_early_mutation, {"headers-stripped"}, {"envoy-early-headers"}),
    "decided by clients": (
        asked_by_header,
        {"headers-stripped", "agent-by-header"},
        {"envoy-early-headers"},
    ),
    "no buffers": (no_buffers, {"body-limit"}, {"envoy-buffers"}),
    "kept route": (setting(route_cache_action="RETAIN"), {"routing"}, {"envoy-route-cache"}),
    "held answers": (held_answers, {"streaming"}, set()),
    "no trailers": (no_trailers, {"trailers"}, {"envoy-modes"}),
    "too few rules": (
        setting(mutation_rules=TOO_FEW),
        {"errors", "response-headers"},
        {"envoy-mutation-rules"},
    ),
    "open on failure": (first_alone, set(), {"envoy-failure-mode"}),
    "HTTP/1.1": (http1_to_the_processor, {"processor"}, {"envoy-cluster"}),
}


@pytest.fixture(scope="module")
def right(
    travel_yaml: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
    free_ports: Callable[[int], list[int]],
    start_process: type[Process],
) -> Iterator[Gateway]:
    """A processor for all tests, and a gateway that is as it should be."""
    folder = tmp_path_factory.mktemp("right")
    gateway = Gateway(start_process, folder, travel_yaml(more=LIMITS), free_ports(3))
    gateway.serve()
    gateway.envoy()
    gateway.wait_healthy(1)
    yield gateway
    for process in gateway.processes:
        process.stop()


@pytest.fixture
def attach(
    right: Gateway, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[Callable[[Change], Gateway]]:
    """Run a gateway that is changed in one thing, before the same processor."""
    listener, admin = free_ports(2)
    gateway = Gateway(right.start, tmp_path, right.yaml, [listener, right.processor, admin])

    def run(change: Change) -> Gateway:
        text = (right.folder / "envoy.yaml").read_text()
        for port, other in ((right.listener, listener), (right.admin, admin)):
            text = text.replace(f"port_value: {port}", f"port_value: {other}")
        bootstrap = yaml.safe_load(text)
        change(bootstrap)
        file = tmp_path / "envoy.yaml"
        file.write_text(yaml.safe_dump(bootstrap))
        gateway.run(ENVOY, "-c", str(file), "--disable-hot-restart", "-l", "error")
        gateway.wait_healthy(1)
        return gateway

    yield run
    for process in gateway.processes:
        process.stop()


@pytest.fixture
def slow(
    right: Gateway,
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    scripted_server: Callable[..., ScriptedServer],
) -> Iterator[Gateway]:
    """A gateway whose decisions take a second; it is yet to be started."""
    server = scripted_server("fake_model.py")
    server.script("slow", seconds=1, content='{"route": ["flight_agent"]}')
    model = f"orchestrator: {{strategy: model, model: {{url: {server.url}, name: m}}}}"
    told = "observability: {response_headers: full}"
    text = f"{right.yaml}\n{model}\n{told}\n"
    gateway = Gateway(right.start, tmp_path, text, free_ports(3))
    gateway.serve()
    yield gateway
    for process in gateway.processes:
        process.stop()


def known(gateway: Gateway, right: Gateway) -> tuple[str, ...]:
    """Return the options by which doctor knows all that there is."""
    file = right.folder / "outerloop.yaml"
    return ("-c", str(file), "--envoy-admin", f"127.0.0.1:{gateway.admin}")


def envoys_own(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith(ENVOY_PREFIX)}


def admin_of(stack: Stack) -> str:
    """Return the address of the Envoy admin of an `up`: its socket is beside its bootstrap."""
    pid = stack.ready()["envoy"]["pid"]
    arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return f"unix:{Path(arguments[arguments.index('--config-path') + 1]).parent / 'envoy.sock'}"


def test_a_stack_of_ours_is_all_right(
    travel: Stack,
    travel_yaml: Callable[..., str],
    echo_agents: dict[str, EchoAgent],
    tmp_path: Path,
) -> None:
    file = tmp_path / "outerloop.yaml"
    file.write_text(travel_yaml(more="observability: {response_headers: full}"))
    for agent in echo_agents.values():
        agent.forget()
    report = diagnose(travel.url, "-c", str(file), "--envoy-admin", admin_of(travel))
    assert (report.code, report.told["ok"], report.err) == (0, True, "")
    assert report.named("wrong") | report.named("skipped") == set()
    # Where nothing takes long, nothing is proven of what is waited for.
    assert report.named("unknown") <= {"timeout"}
    seen = [request for agent in echo_agents.values() for request in agent.requests()]
    assert 0 < len(seen) == report.told["prompts"] <= MOST_PROMPTS
    for request in seen:
        assert (request.header("x-request-id") or "").startswith(report.told["request_ids"])
        assert json.loads(request.body)["max_tokens"] in {1, 64}


def test_what_is_not_known_is_asked_of_the_gateway(travel: Stack) -> None:
    report = diagnose(travel.url)
    assert (report.code, report.named("wrong")) == (0, set())
    assert report.named("skipped") == {"body-over-limit"}
    assert "lists 3 agents" in report.seen("processor")


@pytest.mark.slow
def test_an_attachment_that_is_rendered_is_all_right(right: Gateway) -> None:
    report = diagnose(right.url, *known(right, right))
    assert (report.code, report.named("wrong") | report.named("skipped")) == (0, set())


@pytest.mark.slow
@pytest.mark.parametrize(("change", "outside", "inside"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_found(
    right: Gateway, attach: Attach, change: Change, outside: set[str], inside: set[str]
) -> None:
    gateway = attach(change)
    report = diagnose(gateway.url, *known(gateway, right))
    wrong = report.named("wrong")
    assert report.code == 1
    assert (wrong - envoys_own(wrong), envoys_own(wrong)) == (outside, inside), report.told
    for probe in report.told["probes"]:
        assert bool(probe["fix"]) == (probe["outcome"] == "wrong")


@pytest.mark.slow
def test_a_default_timeout_is_found(right: Gateway, attach: Attach) -> None:
    gateway = attach(setting(message_timeout=None))
    report = diagnose(gateway.url, *known(gateway, right))
    # From outside it is seen where something takes long enough, such as a body on a busy machine.
    assert {"envoy-timeout"} <= report.named("wrong") <= {"envoy-timeout", "timeout"}
    assert report.seen("envoy-timeout").endswith("message_timeout 0.2 s, the default")


@pytest.mark.slow
def test_a_limit_is_found_without_the_file(attach: Attach) -> None:
    report = diagnose(attach(no_buffers).url)
    assert report.named("wrong") == {"body-limit"}
    assert report.seen("body-limit").startswith("a body of 1,088 KiB: 413 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("waits", "outcome", "told"),
    [("32s", "ok", " s was waited for"), ("0.2s", "wrong", "504 decision_timeout after ")],
)
def test_decisions_that_take_long(slow: Gateway, waits: str, outcome: str, told: str) -> None:
    slow.envoy(lambda text: text.replace("message_timeout: 32s", f"message_timeout: {waits}"))
    slow.wait_healthy(1)
    report = diagnose(slow.url)
    assert "timeout" in report.named(outcome), report.told
    assert told in report.seen("timeout")


@pytest.mark.slow
def test_what_a_person_is_told(right: Gateway, attach: Attach) -> None:
    gateway = attach(no_early_mutation)
    options = (*known(gateway, right), "--header", "authorization: Bearer s3cret")
    done = run("--gateway", gateway.url, *options)
    assert done.returncode == 1
    assert done.stderr == "outerloop: wrong: headers-stripped, envoy-early-headers\n"
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("wrong    headers-stripped "))
    told = "\n".join(lines[at : lines.index("         See headers-stripped above.")])
    for field in ("early_header_mutation_extensions", "earlyRequestHeaders", "NETWORK_FILTER"):
        assert field in told
    assert "s3cret" not in done.stdout + done.stderr
    assert "2 wrong" in lines[-1]


@pytest.mark.slow
def test_a_listener_that_only_observes(
    right: Gateway,
    travel_yaml: Callable[..., str],
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
) -> None:
    text = travel_yaml("mode: observe", LIMITS)
    gateway = Gateway(right.start, tmp_path, text, free_ports(3))
    try:
        gateway.serve()
        gateway.envoy()
        gateway.wait_healthy(1)
        report = diagnose(gateway.url, *known(gateway, gateway))
    finally:
        for process in gateway.processes:
            process.stop()
    assert (report.code, report.named("wrong")) == (0, set()), report.told
    assert {"processor", "headers-stripped", "streaming"} <= report.named("ok")
    assert {"routing", "body-limit", "trailers"} <= report.named("skipped")


def test_nobody_is_there(free_port: int) -> None:
    report = diagnose(f"http://127.0.0.1:{free_port}")
    assert (report.code, report.told["ok"]) == (3, False)
    assert report.named("wrong") == {"reachable"}
    assert (
        report.err
        == f"outerloop: http://127.0.0.1:{free_port}: no connection: Connection refused\n"
    )


@pytest.mark.slow
def test_tls_with_a_certificate_of_the_client(
    run_stack: Callable[..., Stack], travel_yaml: Callable[..., str], tmp_path: Path
) -> None:
    authority = trustme.CA()
    ca, client, server = (str(tmp_path / name) for name in ("ca.pem", "client.pem", "server.pem"))
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("doctor").private_key_and_cert_chain_pem.write_to_path(client)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    stack = run_stack(
        travel_yaml(f"tls: {{certificate: {server}, key: {server}, client_ca: {ca}}}")
    )
    report = diagnose(stack.url, "--cacert", ca, "--cert", client)
    assert (report.code, report.named("wrong")) == (0, set())
    assert "HTTP/2" in report.seen("trailers")
    assert "trailers" in report.named("ok")
    report = diagnose(stack.url)
    assert report.code == 3
    assert "its certificate is refused" in report.seen("reachable")
