"""What Istio alone has: agents that the mesh knows, egress gateways, routes of others, Secrets."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import OUTERLOOP, EchoAgent
from tests.mesh.harness import Gateway, Manifest
from tests.mesh.istio import MESH, Istio, service, sidecar

CHAT = "/v1/chat/completions"
PLAN = "weather_agent,flight_agent"
LISTENER = """
  - type: agent
    name: travel
    port: 0
    {more}
    rules:
      - {{when: {{headers: {{x-plan: two}}}}, agents: [weather_agent, flight_agent]}}
    agents:
      - {{id: weather_agent, description: Weather forecasts for any city., default: true}}
      - {{id: flight_agent, description: Finds and books flights.}}
      - {{id: hotel_agent, description: Finds and books hotels.}}
"""
CONFIGURATION = """
version: v1
agents:
  - {{id: weather_agent, url: {weather}, {weather_more}}}
  - {{id: flight_agent, service: "flight.default:8080"}}
  - {{id: hotel_agent, cluster: "outbound|80||hotel.default.svc.cluster.local"}}
listeners:{listener}
{more}
"""


class Meshed(Gateway):
    """A gateway that finds the processor by its Service, as the pods' own manifests have it."""

    def _placed(self, text: str) -> str:
        document = yaml.safe_load(super()._placed(text))
        document["deploy"].pop("processor")
        assert isinstance(self.plane, Istio)
        if MESH in self.plane.gateways:
            document["deploy"]["gateway_class"] = MESH
        return yaml.safe_dump(document)


Start = Callable[..., Meshed]


@pytest.fixture(scope="module")
def start(
    echo_agents: dict[str, EchoAgent],
    free_ports: Callable[[int], list[int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Start]:
    """Start meshes that have Services for two of the agents; they are stopped at the end."""
    started: list[Meshed] = []

    def run(objects: Iterable[Manifest] = (), *gateways: str, port: int | None = None) -> Meshed:
        processor, free = free_ports(2)
        known = [
            *service("flight", 8080, echo_agents["flight_agent"].port),
            *service("hotel", 80, echo_agents["hotel_agent"].port),
            *service("outerloop", 9001, processor, name="grpc", appProtocol="kubernetes.io/h2c"),
        ]
        plane = Istio([*known, *objects], gateways or ("ingressgateway",))
        reason = plane.missing()
        if reason is not None:
            pytest.fail(reason)
        folder = tmp_path_factory.mktemp("istio")
        started.append(Meshed(plane, folder, (processor, port or free)))
        plane.start(folder / "plane")
        return started[-1]

    yield run
    for each in started:
        each.stop()


@pytest.fixture(scope="module")
def configuration(echo_agents: dict[str, EchoAgent]) -> Callable[..., str]:
    """Return the YAML of three agents: one with a url, a Service, and a cluster of the mesh."""

    def make(listener: str = "", more: str = "", weather: str = "") -> str:
        return CONFIGURATION.format(
            weather=echo_agents["weather_agent"].url,
            weather_more=weather,
            listener=LISTENER.format(more=listener),
            more=more,
        )

    return make


@pytest.fixture(scope="module")
def mesh(start: Start, configuration: Callable[..., str]) -> Meshed:
    """One mesh for several tests, which leave it as it was."""
    gateway = start()
    gateway.run(configuration(more="observability: {response_headers: full}"))
    return gateway


def ask(url: str, agent: str = "weather_agent", **headers: str) -> httpx.Response:
    body = {"model": agent, "messages": [{"role": "user", "content": "hello"}]}
    return httpx.post(url + CHAT, json=body, headers=headers, timeout=30)


def refused(plane: Istio) -> list[Any]:
    """Return what Envoy has not taken of what Istio has sent."""
    dump = json.loads(plane.envoy("/config_dump"))["configs"]
    return [
        each["error_state"]
        for section in dump
        for resources in section.values()
        if isinstance(resources, list)
        for each in resources
        if "error_state" in each
    ]


def plane_of(gateway: Gateway) -> Istio:
    assert isinstance(gateway.plane, Istio)
    return gateway.plane


def answered(gateway: Gateway, host: str = "any") -> bool:
    with suppress(httpx.TransportError):
        return ask(gateway.url, host=host).status_code == httpx.codes.OK
    return False


@pytest.mark.parametrize("agent", ["weather_agent", "flight_agent", "hotel_agent"])
def test_agents_with_a_url_a_service_and_a_cluster_are_reached(mesh: Meshed, agent: str) -> None:
    own = json.dumps([["x-outerloop-plan", "forged"], ["x-own", "kept"]])
    answer = ask(mesh.url, agent, **{"x-test-headers": own})
    assert (answer.status_code, answer.json()["agent"]) == (200, agent)
    assert answer.headers.get_list("x-outerloop-plan") == [agent]
    assert answer.headers["x-own"] == "kept"


def test_envoy_takes_all_that_istio_makes_of_ours(mesh: Meshed) -> None:
    assert ask(mesh.url).status_code == 200
    assert refused(plane_of(mesh)) == []


def test_the_doctor_finds_nothing_wrong(mesh: Meshed) -> None:
    command = [*OUTERLOOP, "doctor", "--gateway", mesh.url, "-c", str(mesh.file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_doctor_tells_where_the_patches_are_missing(
    start: Start, configuration: Callable[..., str]
) -> None:
    gateway = start()
    text = configuration()
    gateway.configure(text)
    gateway.serve()
    bare = [each for each in gateway.render(text) if each["kind"] != "EnvoyFilter"]
    plane_of(gateway).apply(bare)
    gateway.eventually(lambda: status(gateway.url) == 503, "an answer")
    command = [*OUTERLOOP, "doctor", "--gateway", gateway.url, "-c", str(gateway.file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "wrong: processor" in done.stderr


def status(url: str) -> int:
    with suppress(httpx.TransportError):
        return ask(url).status_code
    return 0


def test_policies_of_istio_come_before_the_decision(
    start: Start, configuration: Callable[..., str]
) -> None:
    gateway = start()
    text = configuration()
    gateway.run(text)
    headers = {"x-blocked": "yes", "x-outerloop-agent": "flight_agent"}
    rules = [
        {"when": [{"key": f"request.headers[{name}]", "values": [value]}]}
        for name, value in headers.items()
    ]
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "mine", "namespace": "istio-system"},
        "spec": {
            "selector": {"matchLabels": {"istio": "ingressgateway"}},
            "action": "DENY",
            "rules": rules,
        },
    }
    plane_of(gateway).apply([*gateway.render(text), policy])
    gateway.eventually(lambda: ask(gateway.url, **{"x-blocked": "yes"}).status_code == 403, "a no")
    denied = ask(gateway.url, **{"x-blocked": "yes"})
    assert denied.text == "RBAC: access denied"
    assert "x-outerloop-agent" not in denied.headers
    # They do not see what is decided.
    assert ask(gateway.url, "flight_agent").status_code == 200


def test_workers_are_watched_behind_the_service(mesh: Meshed) -> None:
    name = "cluster.outbound_9001__outerloop.default.svc.cluster.local;.health_check.success"
    mesh.eventually(
        lambda: (
            counted(plane_of(mesh).envoy("/stats?filter=health_check.success")).get(name, 0) > 0
        ),
        "a health check",
    )


def counted(text: str) -> dict[str, int]:
    pairs = (line.rsplit(": ", 1) for line in text.splitlines())
    return {name.replace("|", "_"): int(value) for name, value in pairs if value.strip().isdigit()}


def test_without_the_processor_nothing_reaches_an_agent(
    mesh: Meshed, echo_agents: dict[str, EchoAgent]
) -> None:
    mesh.stop_serving()
    try:
        for agent in echo_agents.values():
            agent.forget()
        for path in (CHAT, "/v1/messages", "/v1/responses"):
            answer = httpx.post(
                mesh.url + path,
                json={"model": "weather_agent"},
                headers={"x-outerloop-agent": "weather_agent"},
                timeout=30,
            )
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "processor_unavailable"
            assert answer.headers["x-outerloop-error"] == "processor_unavailable"
        assert [agent.requests() for agent in echo_agents.values()] == [[], [], []]
    finally:
        mesh.serve()
        mesh.eventually(lambda: ask(mesh.url).status_code == 200, "an answer")


def test_an_agent_is_added_without_a_lost_request(
    mesh: Meshed, configuration: Callable[..., str], echo_agents: dict[str, EchoAgent]
) -> None:
    before = configuration(more="observability: {response_headers: full}")
    more = yaml.safe_load(before)
    more["agents"].append({"id": "Train_Agent", "url": echo_agents["hotel_agent"].url})
    more["listeners"][0]["agents"].append({"id": "Train_Agent", "description": "Trains."})
    after = yaml.safe_dump(more)
    body = {"model": "flight_agent", "messages": [{"role": "user", "content": "hi"}]}
    held = {"x-request-id": "kept", "x-test-sse": "3,0", "x-test-hold": "now"}
    with httpx.stream("POST", mesh.url + CHAT, json=body, headers=held, timeout=60) as answer:
        lines = answer.iter_lines()
        first = next(line for line in lines if line)
        # Routes first: what is decided must have somewhere to go.
        mesh.apply(after)
        mesh.eventually(
            lambda: (
                "agent/Train_Agent"
                in plane_of(mesh).envoy("/config_dump?resource=dynamic_route_configs")
            ),
            "a route to the new agent",
        )
        mesh.reload(after)
        mesh.eventually(lambda: ask(mesh.url, "Train_Agent").status_code == 200, "an answer")
        echo_agents["flight_agent"].release("kept")
        assert [first, *(line for line in lines if line)][-1] == "data: [DONE]"
    mesh.reload(before)
    mesh.apply(before)


def test_earlier_agents_are_called_through_an_egress_gateway(
    start: Start,
    configuration: Callable[..., str],
    free_ports: Callable[[int], list[int]],
    echo_agents: dict[str, EchoAgent],
) -> None:
    port = free_ports(1)[0]
    gateway = start((), "ingressgateway", "egressgateway")
    gateway.run(configuration(more=f"egress: {{url: http://127.0.0.1:{port}}}"))
    plane = plane_of(gateway)
    gateway.eventually(
        lambda: str(port) in plane.envoy("/listeners", "egressgateway"), "the way out"
    )
    said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "sunny"}}]}
    told = {
        "x-plan": "two",
        "x-test-body": json.dumps(json.dumps(said)),
        "x-test-at": "weather_agent",
    }
    body = {"messages": [{"role": "user", "content": "hello"}]}
    echo_agents["weather_agent"].forget()
    # The way out needs hosts, too, which come a little later than the listener.
    gateway.eventually(
        lambda: httpx.post(gateway.url + CHAT, json=body, headers=told).is_success, "both agents"
    )
    answer = httpx.post(gateway.url + CHAT, json=body, headers=told, timeout=30)
    assert answer.headers["x-outerloop-plan"] == PLAN
    sent = json.loads(base64.b64decode(answer.json()["body"]))["messages"]
    assert [each["content"] for each in sent] == ["sunny", "hello"]
    (*_, seen) = echo_agents["weather_agent"].requests()
    assert seen.all("x-outerloop-target") == []
    passed = plane.envoy("/stats?filter=outerloop-agent-weather.*upstream_rq_200", "egressgateway")
    assert passed.strip()
    # Who calls without a target gets nowhere.
    bare = httpx.post(f"http://127.0.0.1:{port}{CHAT}", json=body)
    assert (bare.status_code, bare.headers["x-outerloop-error"]) == (503, "no_route")


OWN_ROUTES: list[Manifest] = [
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "mine", "namespace": "default"},
        "spec": {
            "selector": {"istio": "ingressgateway"},
            "servers": [{"hosts": ["*"], "port": {"number": 0, "name": "h", "protocol": "HTTP"}}],
        },
    },
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "mine", "namespace": "default"},
        "spec": {
            "hosts": ["*"],
            "gateways": ["default/mine"],
            "http": [
                {
                    "name": "travel",
                    "match": [{"uri": {"prefix": "/v1/"}}],
                    "route": [{"destination": {"host": "hotel.default.svc.cluster.local"}}],
                },
                {
                    "name": "other",
                    "route": [{"destination": {"host": "flight.default.svc.cluster.local"}}],
                },
            ],
        },
    },
]


def test_decisions_are_watched_on_routes_of_others(
    start: Start, configuration: Callable[..., str]
) -> None:
    gateway = start()
    text = configuration(listener="mode: observe")
    gateway.configure(text)
    gateway.serve()
    ours = gateway.render(text)
    assert {each["kind"] for each in ours} == {"EnvoyFilter"}
    own = json.loads(json.dumps(OWN_ROUTES))
    own[0]["spec"]["servers"][0]["port"]["number"] = gateway.port
    plane_of(gateway).apply([*ours, *own])

    def watched() -> dict[str, Any]:
        spoofed = {"x-outerloop-agent": "forged"}
        with suppress(httpx.TransportError):
            answer = ask(gateway.url, "flight_agent", **spoofed)
            return dict(answer.json()) if answer.status_code == httpx.codes.OK else {}
        return {}

    def decided(record: dict[str, Any]) -> list[str]:
        return [value for name, value in record["headers"] if name == "x-outerloop-agent"]

    gateway.eventually(
        lambda: bool(record := watched()) and decided(record) == ["flight_agent"], "a decision"
    )
    # What is decided is told, and goes where it went before.
    assert watched()["agent"] == "hotel_agent"
    large = b"x" * 40 * 2**20
    other = httpx.post(gateway.url + "/upload", content=large, timeout=60).json()
    assert (other["agent"], decided(other)) == ("flight_agent", [])
    assert len(base64.b64decode(other["body"])) == len(large)
    gateway.stop_serving()
    assert watched()["agent"] == "hotel_agent"


def test_the_next_group_takes_over_when_the_first_is_down(
    start: Start, free_ports: Callable[[int], list[int]], echo_agents: dict[str, EchoAgent]
) -> None:
    dead = free_ports(1)[0]
    gateway = start()
    text = f"""
version: v1
agents:
  - id: one
    url: http://127.0.0.1:{dead}
    failover: ["{echo_agents["weather_agent"].url}"]
    outlier_detection: {{consecutive_gateway_failure: 1, interval: 1s}}
listeners:
  - {{type: agent, name: desk, port: 0, agents: [{{id: one}}]}}
"""
    gateway.run(text)
    assert ask(gateway.url, "one").json()["agent"] == "weather_agent"
    assert "::priority::1" in plane_of(gateway).envoy("/clusters")


def test_a_caller_stays_on_a_variant(start: Start, echo_agents: dict[str, EchoAgent]) -> None:
    gateway = start()
    text = f"""
version: v1
agents:
  - id: one
    variants:
      - {{id: stable, weight: 50, url: {echo_agents["weather_agent"].url}}}
      - {{id: canary, weight: 50, url: {echo_agents["flight_agent"].url}}}
    session_affinity: {{header: x-user}}
    health_check: {{path: /healthz, interval: 1s}}
listeners:
  - {{type: agent, name: desk, port: 0, agents: [{{id: one}}]}}
observability: {{response_headers: full}}
"""
    gateway.run(text)
    answers = [ask(gateway.url, "one", **{"x-user": f"user {number % 20}"}) for number in range(60)]
    served = [(each.json()["agent"], each.headers["x-outerloop-variant"]) for each in answers]
    assert set(served) == {("weather_agent", "stable"), ("flight_agent", "canary")}
    assert served == served[:20] * 3
    checked = plane_of(gateway).envoy("/stats?filter=outerloop-variant.*health_check.success")
    assert all(int(line.rsplit(": ", 1)[1]) > 0 for line in checked.splitlines())


def test_a_key_is_read_from_a_file_in_the_gateways_pods(
    start: Start, configuration: Callable[..., str], tmp_path: Path
) -> None:
    gateway = start()
    text = configuration(weather="access_key: $KEY, headers: {x-team: $TEAM, x-plain: 100%}")
    environ = {"KEY": "never-rendered", "TEAM": "neither"}
    manifests = yaml.safe_dump_all(gateway.render(text, environ))
    assert not [value for value in environ.values() if value in manifests]
    for name, value in (("key", environ["KEY"]), ("header-x-team", environ["TEAM"])):
        dot = "-" if name == "key" else "."
        secret = f"agent-weather_agent{dot}{name}"
        file = tmp_path / f"secret-{secret}.json"
        content = {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": secret,
            "generic_secret": {"secret": {"inline_string": value}},
        }
        file.write_text(json.dumps({"version_info": "1", "resources": [content]}))
    mounted = manifests.replace("/etc/outerloop/", f"{tmp_path}/")
    gateway.configure(text)
    gateway.serve(environ=environ)
    plane_of(gateway).apply(list(yaml.safe_load_all(mounted)))
    gateway.eventually(lambda: answered(gateway), "an answer")
    sent = dict(ask(gateway.url, authorization="Bearer caller").json()["headers"])
    assert (sent["authorization"], sent["x-team"]) == ("Bearer never-rendered", "neither")
    assert sent["x-plain"] == "100%"


def test_clients_are_spoken_to_by_the_certificate_of_a_secret(
    start: Start, configuration: Callable[..., str], tmp_path: Path
) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("")
    gateway = start()
    tls = f"tls: {{certificate: {tmp_path}/tls.crt, key: {tmp_path}/tls.key}}"
    gateway.apply(configuration(listener=tls))
    # Istio gives out no Secret to an Envoy without an identity: the listener waits for it.
    gateway.eventually(
        lambda: "kubernetes://outerloop-listener-travel" in plane_of(gateway).envoy("/config_dump"),
        "a listener with TLS",
    )
    assert refused(plane_of(gateway)) == []


def test_the_sidecar_of_a_client_decides(
    start: Start,
    configuration: Callable[..., str],
    free_ports: Callable[[int], list[int]],
    echo_agents: dict[str, EchoAgent],
) -> None:
    port = free_ports(1)[0]
    gateway = start(list(service("outerloop-listener-travel", port, port))[:1], MESH, port=port)
    text = configuration()
    ours = gateway.render(text)
    assert "Gateway" not in {each["kind"] for each in ours}
    gateway.configure(text)
    gateway.serve()
    plane_of(gateway).apply([*ours, *sidecar(port)])
    host = f"outerloop-listener-travel.default.svc.cluster.local:{port}"
    gateway.eventually(lambda: answered(gateway, host), "an answer")
    for agent in echo_agents:
        assert ask(gateway.url, agent, host=host).json()["agent"] == agent
    forged = {"host": host, "x-outerloop-agent": "hotel_agent"}
    assert httpx.get(f"{gateway.url}/v1/x", headers=forged).status_code == 404
    gateway.stop_serving()
    assert ask(gateway.url, host=host).json()["error"]["code"] == "processor_unavailable"
    assert refused(plane_of(gateway)) == []


def test_own_filters_stand_before_and_after_the_decision(
    start: Start, configuration: Callable[..., str]
) -> None:
    gateway = start()
    slots = {"before_decision": [lua("x-before")], "after_decision": [lua("x-after")]}
    text = configuration(more=yaml.safe_dump({"envoy": {"http_filters": slots}}))
    gateway.run(text)
    sent = dict(ask(gateway.url, "flight_agent").json()["headers"])
    assert (sent["x-before"], sent["x-after"]) == ("nobody", "flight_agent")


def lua(header: str) -> dict[str, Any]:
    """Return a filter that copies what is decided by then."""
    script = (
        "function envoy_on_request(handle) "
        f"handle:headers():add('{header}', handle:headers():get('x-outerloop-agent') or 'nobody') "
        "end"
    )
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    config = {"@type": kind, "default_source_code": {"inline_string": script}}
    return {"name": f"mine.{header}", "typed_config": config}
