"""An Envoy that exists, with requests of its own, and what `--target envoy-snippet` adds to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.e2e.gateway import ENVOY, OUTERLOOP, Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Process

CHAT = "/v1/chat/completions"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}
MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    ".HttpConnectionManager"
)
SAID = {"choices": [{"message": {"role": "assistant", "content": "said"}}]}
Refused = Callable[..., dict[str, Any]]


def socket_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def theirs(listener: int, admin: int, shop: int) -> dict[str, Any]:
    """Return the configuration of a gateway that knows nothing of agents."""
    endpoint = {"endpoint": {"address": socket_address(shop)}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "20s"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "public",
        "route_config": {
            "name": "public",
            "virtual_hosts": [{"name": "shop", "domains": ["*"], "routes": [route]}],
        },
        "http_filters": [ROUTER],
    }
    chain = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }
    return {
        "admin": {"address": socket_address(admin)},
        "static_resources": {
            "listeners": [
                {
                    "name": "public",
                    "address": socket_address(listener),
                    "filter_chains": [chain],
                }
            ],
            "clusters": [
                {
                    "name": "shop",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "shop",
                        "endpoints": [{"lb_endpoints": [endpoint]}],
                    },
                }
            ],
        },
    }


def paste(envoy: dict[str, Any], snippet: str) -> dict[str, Any]:
    """Do what the comments of a snippet say."""
    part, everywhere = yaml.safe_load_all(snippet)
    static = envoy["static_resources"]
    listener = static["listeners"][0]
    listener |= part["listener"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    fields = part["http_connection_manager"]
    filters = fields.pop("http_filters")
    manager |= fields
    manager["http_filters"] = [*filters, *manager["http_filters"]]
    host = manager["route_config"]["virtual_hosts"][0]
    if "virtual_host" in part:
        host["routes"] = [*part["virtual_host"]["routes"], *host["routes"]]
    else:
        host["routes"] = [route | part["route"] for route in host["routes"]]
    for key, resources in everywhere["static_resources"].items():
        static[key] += resources
    return envoy


class Attached(Gateway):
    """That gateway, and `serve` beside it."""

    def __init__(
        self, start: type[Process], folder: Path, ports: list[int], shop: EchoAgent
    ) -> None:
        super().__init__(start, folder, "", ports[:3])
        self.way_out = ports[3]
        self.shop = shop

    def attach(self, more: str) -> str:
        """Start all for a file that says `more`; return what was said beside the snippet."""
        self.yaml = (
            f"version: v1\ndeploy: {{processor: {{addresses: ['127.0.0.1:{self.processor}']}}}}\n"
            + more
        )
        file = self.folder / "outerloop.yaml"
        file.write_text(self.yaml)
        rendered = subprocess.run(
            [OUTERLOOP, "render", "-c", file, "--target", "envoy-snippet"],
            capture_output=True,
            text=True,
            check=True,
        )
        envoy = paste(theirs(self.listener, self.admin, self.shop.port), rendered.stdout)
        bootstrap = self.folder / "envoy.json"
        bootstrap.write_text(json.dumps(envoy))
        checked = subprocess.run(
            [ENVOY, "--mode", "validate", "-c", bootstrap, "-l", "error"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        self.serve(self.yaml)
        self.run(ENVOY, "-c", str(bootstrap), "--disable-hot-restart", "-l", "error")
        self.wait_healthy(1)
        return rendered.stderr


@pytest.fixture(scope="module")
def start_gateway(
    free_ports: Callable[[int], list[int]], start_process: type[Process], shop: EchoAgent
) -> Iterator[Callable[[Path], Attached]]:
    started: list[Attached] = []

    def start(folder: Path) -> Attached:
        started.append(Attached(start_process, folder, free_ports(4), shop))
        return started[-1]

    yield start
    for gateway in started:
        for process in gateway.processes:
            process.stop()


@pytest.fixture
def gateway(start_gateway: Callable[[Path], Attached], tmp_path: Path) -> Attached:
    """One that is a test's own."""
    return start_gateway(tmp_path)


@pytest.fixture(scope="module")
def shared(
    start_gateway: Callable[[Path], Attached],
    tmp_path_factory: pytest.TempPathFactory,
    echo_agents: dict[str, EchoAgent],
) -> Attached:
    """One that tests leave as it was."""
    gateway = start_gateway(tmp_path_factory.mktemp("shared"))
    gateway.attach(agents(echo_agents, more="limits: {max_request_bytes: 6MiB}"))
    return gateway


@pytest.fixture(scope="module")
def shop(start_echo_agent: Callable[[str], EchoAgent]) -> EchoAgent:
    """The upstream that the gateway has had all along."""
    return start_echo_agent("shop")


@pytest.fixture(autouse=True)
def forgotten(shop: EchoAgent, echo_agents: dict[str, EchoAgent]) -> None:
    for agent in (shop, *echo_agents.values()):
        agent.forget()


def agents(echo_agents: dict[str, EchoAgent], listener: str = "", more: str = "") -> str:
    lines = [f"  - {{id: {name}, url: {agent.url}}}" for name, agent in echo_agents.items()]
    offered = ", ".join(f"{{id: {name}}}" for name in echo_agents)
    return "\n".join(
        (
            "agents:",
            *lines,
            f"listeners: [{{name: ai, port: 8001, {listener}agents: [{offered}]}}]",
            more,
        )
    )


def conversation(agent: str, text: str = "hello") -> dict[str, Any]:
    return {"model": agent, "messages": [{"role": "user", "content": text}]}


def test_conversations_are_decided_and_all_else_is_as_before(
    http: httpx.Client, shared: Attached, refused: Refused, echo_agents: dict[str, EchoAgent]
) -> None:
    for name in echo_agents:
        answer = http.post(shared.url + CHAT, json=conversation(name))
        assert (answer.status_code, answer.json()["agent"]) == (200, name)
        assert answer.headers["x-outerloop-agent"] == name
    assert [each["id"] for each in http.get(shared.url + "/v1/models").json()["data"]] == [
        *echo_agents
    ]
    refused(http.post(shared.url + CHAT, content=b"{"), CHAT, 400, "invalid_request", request_id=0)

    answer = http.post(shared.url + "/cart", content=b"x" * 2_000_000, headers={"x-test-a": "1"})
    assert answer.json()["agent"] == "shop"
    assert "x-outerloop-agent" not in answer.headers
    answer = http.get(shared.url + "/v1/other", headers={"x-outerloop-agent": "hotel_agent"})
    assert answer.json()["agent"] == "shop"
    assert [each.header("x-outerloop-agent") for each in shared.shop.requests()] == [None, None]


@pytest.mark.parametrize("name", ["x-outerloop-agent", "X_Outerloop_Agent", "x-OUTERLOOP-target"])
def test_what_clients_forge_chooses_nothing(
    http: httpx.Client, shared: Attached, echo_agents: dict[str, EchoAgent], name: str
) -> None:
    forged = {name: "hotel_agent"}
    answer = http.post(shared.url + CHAT, json=conversation("flight_agent"), headers=forged)
    assert answer.json()["agent"] == "flight_agent"
    answer = http.get(shared.url + CHAT, headers=forged)
    assert answer.json()["agent"] == "shop"
    assert echo_agents["hotel_agent"].requests() == []


def test_large_bodies_pass_and_too_large_ones_do_not(http: httpx.Client, shared: Attached) -> None:
    answer = http.post(shared.url + CHAT, json=conversation("flight_agent", "x" * 5_000_000))
    assert answer.json()["agent"] == "flight_agent"
    answer = http.post(shared.url + CHAT, json=conversation("flight_agent", "x" * 7_000_000))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


@pytest.mark.slow
def test_without_a_processor_conversations_are_refused_and_all_else_goes_on(
    http: httpx.Client, gateway: Attached, echo_agents: dict[str, EchoAgent]
) -> None:
    gateway.attach(agents(echo_agents))
    gateway.processes[0].stop()
    answer = http.post(gateway.url + CHAT, json=conversation("flight_agent"))
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "processor_unavailable"
    assert http.get(gateway.url + "/cart").json()["agent"] == "shop"


def test_a_cluster_that_the_gateway_has_is_an_agent(
    http: httpx.Client, gateway: Attached, echo_agents: dict[str, EchoAgent]
) -> None:
    """And, through the gateway, one that comes before others in a plan."""
    gateway.attach(
        f"""
agents:
  - {{id: legacy_agent, cluster: shop, timeout: 20s}}
  - {{id: hotel_agent, url: "{echo_agents["hotel_agent"].url}"}}
egress: {{url: "http://127.0.0.1:{gateway.way_out}"}}
listeners:
  - name: ai
    port: 8001
    agents: [{{id: legacy_agent}}, {{id: hotel_agent}}]
    rules:
      - {{when: {{headers: {{x-all: x}}}}, agents: [legacy_agent, hotel_agent]}}
"""
    )
    lies = {"x-test-headers": json.dumps([["x-outerloop-agent", "other"]])}
    answer = http.post(gateway.url + CHAT, json=conversation("legacy_agent"), headers=lies)
    assert answer.json()["agent"] == "shop"
    assert answer.headers.get_list("x-outerloop-agent") == ["legacy_agent"]

    wish = {"x-all": "x", "x-test-body": json.dumps(json.dumps(SAID))}
    body = {"messages": [{"role": "user", "content": "hello"}]}
    answer = http.post(gateway.url + CHAT, json=body, headers=wish)
    assert (answer.status_code, answer.headers["x-outerloop-plan"]) == (
        200,
        "legacy_agent,hotel_agent",
    )
    [last] = echo_agents["hotel_agent"].requests()
    assert [each.get("name") for each in json.loads(last.body)["messages"]] == [
        "legacy_agent",
        None,
    ]


def test_a_team_watches_decisions_before_it_follows_them(
    http: httpx.Client, gateway: Attached, echo_agents: dict[str, EchoAgent]
) -> None:
    gateway.attach(agents(echo_agents, listener="mode: observe, "))
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    assert answer.json()["agent"] == "shop"
    broken = http.post(gateway.url + CHAT, content=b"{")
    assert (broken.status_code, broken.json()["agent"]) == (200, "shop")
    decided, refused = gateway.shop.requests()
    assert decided.header("x-outerloop-agent") == "hotel_agent"
    assert decided.header("x-outerloop-source") == "explicit"
    assert json.loads(decided.body) == conversation("hotel_agent")
    assert refused.header("x-outerloop-agent") is None
    assert refused.header("x-outerloop-error") == "invalid_request"
    assert refused.body == b"{"

    gateway.processes[0].stop()
    answer = http.post(gateway.url + CHAT, json=conversation("hotel_agent"))
    assert (answer.status_code, answer.json()["agent"]) == (200, "shop")
    assert [agent.requests() for agent in echo_agents.values()] == [[], [], []]
