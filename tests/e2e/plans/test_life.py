"""How long a plan may take, who may end it, and how often it may go round."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, ScriptedServer, Stack
    from tests.e2e.plans.conftest import Agents, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
Refused = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def brisk(plans: Client, plans_yaml: Any, run_module_stack: Callable[..., Stack]) -> Client:
    """Decisions of at most 0.5 s, requests that must arrive within 1 s."""
    yaml = plans_yaml("fail", "parallel", limits="request_timeout: 1s")
    stack = run_module_stack(yaml.replace("decision_timeout: 2s", "decision_timeout: 500ms"))
    return type(plans)(stack, plans.http)


@pytest.mark.parametrize("listener", ["fail", "parallel"])
def test_no_limit_on_deciding_or_arriving_holds_for_agents(
    brisk: Client, agents: Agents, listener: str
) -> None:
    """Envoy is told to wait: by itself it would have given up 2.5 s after it asked."""
    slow = agents.says("at last", after=3.5)
    request_id = agents.script(a=slow, c=agents.streams("done"))
    answer = brisk.post(listener, "a,b,c", under=request_id)
    assert answer.status_code == 200
    assert agents.calls(request_id)[-1].texts[0] == ("assistant", "at last")
    assert float(answer.headers["x-outerloop-decision-ms"]) < 500


@pytest.mark.parametrize("listener", ["fail", "parallel"])
def test_a_client_that_hangs_up_ends_the_plan(plans: Client, agents: Agents, listener: str) -> None:
    request_id = agents.script(b=agents.hangs)
    port = int(plans.stack.listeners[listener].rpartition(":")[2])
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]})
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-plan: a,b,c\r\nx-request-id: {request_id}\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        agents.wait(lambda: any(call.agent == "b" for call in agents.calls(request_id)))
    [running] = [call for call in agents.calls(request_id) if call.agent == "b"]
    agents.wait(lambda: running.cut)
    line = plans.stack.access_log(request_id)
    assert line["agent"] is None
    assert "c" not in {call.agent for call in agents.calls(request_id)}


def test_so_does_one_that_resets_its_http2_stream(plans: Client, agents: Agents) -> None:
    request_id = agents.script(a=agents.hangs)
    protocol = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    protocol.initiate_connection()
    fields = {":method": "POST", ":scheme": "http", ":authority": "x", ":path": CHAT}
    more = {"x-plan": "a,b", "x-request-id": request_id}
    protocol.send_headers(1, [*fields.items(), *more.items()])
    protocol.send_data(1, b'{"messages": [{"role": "user", "content": "hi"}]}', end_stream=True)
    with socket.create_connection(("127.0.0.1", plans.stack.port)) as connection:
        connection.sendall(protocol.data_to_send())
        agents.wait(lambda: agents.calls(request_id))
        protocol.reset_stream(1)
        connection.sendall(protocol.data_to_send())
        [call] = agents.calls(request_id)
        agents.wait(lambda: call.cut)
    assert len(agents.calls(request_id)) == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("hops", ["8", "21"])
def test_a_request_that_went_round_eight_times_is_refused(
    plans: Client, agents: Agents, refused: Refused, path: str, hops: str
) -> None:
    request_id = agents.script()
    headers = [("outerloop-hops", hops)]
    answer = plans.post("fail", "a,b", path=path, under=request_id, headers=headers)
    refused(answer, path, 508, "loop_detected")
    assert not agents.calls(request_id)


def test_all_agents_are_told_how_often_it_went_round(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    headers = [("outerloop-hops", "7")]
    assert plans.post("fail", "a,b,c", under=request_id, headers=headers).status_code == 200
    assert [call.all("outerloop-hops") for call in agents.calls(request_id)] == [["8"]] * 3


@pytest.mark.parametrize("path", PATHS)
def test_an_agent_that_is_the_listener_itself_ends_in_an_error(
    plans: Client, agents: Agents, path: str
) -> None:
    """It comes from the innermost round; to the rounds before it, it is an agent's own answer."""
    answer = plans.post("fail", "loop", path=path, under=agents.script())
    assert answer.status_code == 508
    assert answer.json()["error"]["code"] == "loop_detected"
    assert answer.headers["x-outerloop-agent"] == "loop"
    assert "x-outerloop-error" not in answer.headers


def test_as_an_earlier_agent_it_fails_its_step(
    plans: Client, agents: Agents, refused: Refused
) -> None:
    request_id = agents.script()
    error = refused(plans.post("fail", "loop,b", under=request_id), CHAT, 502, "step_failed")
    assert error["agent"] == "loop"
    assert not agents.calls(request_id)


def test_a_rules_plan_is_cut_from_the_end(
    agents: Agents, run_stack: Callable[..., Stack], plans: Client, plans_yaml: Any
) -> None:
    stack = run_stack(plans_yaml("fail").replace("max_agents: 4", "max_agents: 2"))
    request_id = agents.script()
    answer = type(plans)(stack, plans.http).post("fail", "a,b,c", under=request_id)
    assert answer.headers["x-outerloop-plan"] == "a,b"
    assert [call.agent for call in agents.calls(request_id)] == ["a", "b"]
    assert "rules" in stack.process.output
    assert "never gets to c" in stack.process.output


DECIDED = {
    "What's the weather in Oslo, and find me a flight to Oslo.": "weather_agent,flight_agent",
    "Find me a flight to Madrid, and then book a hotel in Madrid.": "flight_agent,hotel_agent",
}
ALL_THREE = "Check the weather in Paris, find me a flight to Paris, and book a hotel in Paris."


@pytest.mark.parametrize("text", DECIDED)
def test_the_built_in_strategy_decides_on_plans(agency: Stack, plans: Client, text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}]}
    answer = plans.http.post(agency.url + CHAT, json=body)
    assert answer.headers["x-outerloop-plan"] == DECIDED[text]
    assert answer.headers["x-outerloop-source"] == "embedded"
    said = answer.json()["choices"][0]["message"]["content"]
    told = "Pack for " if "weather" in DECIDED[text] else "Late check-in suits your "
    assert told in said


def test_its_plans_are_cut_from_the_end(
    echo_agents: dict[str, EchoAgent],
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    plans: Client,
    agency: Stack,
) -> None:
    """The two that are left run in the order of the whole plan."""
    body = {"messages": [{"role": "user", "content": ALL_THREE}]}
    whole = plans.http.post(agency.url + CHAT, json=body)
    assert whole.headers["x-outerloop-plan"] == "weather_agent,flight_agent,hotel_agent"
    stack = run_stack(travel_yaml("on_step_error: skip", "orchestrator: {max_agents: 2}"))
    for agent in echo_agents.values():
        agent.forget()
    cut = plans.http.post(stack.url + CHAT, json=body)
    assert cut.headers["x-outerloop-plan"] == "weather_agent,flight_agent"
    assert [len(agent.requests()) for agent in echo_agents.values()] == [1, 1, 0]


def test_an_agent_is_in_a_models_plan_once(
    plans: Client,
    run_stack: Callable[..., Stack],
    scripted_server: Callable[..., ScriptedServer],
    travel_yaml: Callable[..., str],
) -> None:
    """What `max_agents` cuts comes after that."""
    names = ("weather_agent", "flight_agent", "weather_agent", "hotel_agent", "no_agent")
    model = scripted_server("fake_model.py")
    model.script("ok", content=json.dumps({"route": names}))
    server = f"{{url: {model.url}, name: m}}"
    orchestrator = f"orchestrator: {{strategy: model, max_agents: 2, model: {server}}}"
    stack = run_stack(travel_yaml("on_step_error: skip", orchestrator))
    body = {"messages": [{"role": "user", "content": "all of it"}]}
    answer = plans.http.post(stack.url + CHAT, json=body)
    assert answer.headers["x-outerloop-plan"] == "weather_agent,flight_agent"
    assert answer.headers["x-outerloop-source"] == "model"


def test_a_stack_that_stops_lets_running_plans_finish(
    agents: Agents, run_stack: Callable[..., Stack], plans: Client, plans_yaml: Any
) -> None:
    stack = run_stack(plans_yaml("fail"))
    go_on = agents.event()
    request_id = agents.script(a=agents.says("a says so", until=go_on))
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(type(plans)(stack, plans.http).post, "fail", "a,b,c", under=request_id)
        agents.wait(lambda: agents.calls(request_id))
        stack.process.popen.send_signal(signal.SIGTERM)
        agents.wait(lambda: refuses(stack.port))
        agents.set(go_on)
        assert asking.result(60).status_code == 200
    assert [call.agent for call in agents.calls(request_id)] == ["a", "b", "c"]
    assert stack.process.popen.wait(60) == 0


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False
