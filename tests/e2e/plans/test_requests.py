"""What each agent of a plan is sent, and in what order."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.plans.conftest import Agents, Call, Client

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
PATHS = (CHAT, MESSAGES, RESPONSES)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NAMED = {CHAT: True, MESSAGES: False, RESPONSES: True}


def said(path: str, agent: str) -> dict[str, str]:
    """An answer as the agents after it see it."""
    name = {"name": agent} if NAMED[path] else {}
    return {"role": "assistant", **name, "content": f"{agent} says so"}


def entries(call: Call) -> Any:
    return call.json["input" if call.target.startswith(RESPONSES) else "messages"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("plan", ["a,b", "b,a", "a,b,c", "c,a,b", "a,b,c,d"])
def test_agents_are_called_in_order_and_hear_those_before(
    plans: Client, agents: Agents, path: str, plan: str
) -> None:
    request_id = agents.script()
    answer = plans.post("fail", plan, path=path, under=request_id)
    order = plan.split(",")
    assert answer.status_code == 200
    assert f"{order[-1]} says so" in answer.text
    calls = agents.calls(request_id)
    assert [call.agent for call in calls] == order
    assert all(
        before.ended is not None and before.ended < after.began
        for before, after in itertools.pairwise(calls)
    )
    user = {"role": "user", "content": "do it all"}
    for number, call in enumerate(calls):
        told = [said(path, agent) for agent in order[:number]]
        alone = "do it all" if path == RESPONSES else [user]
        assert entries(call) == ([*told, user] if told else alone)


@pytest.mark.parametrize("path", PATHS)
def test_only_earlier_agents_are_asked_not_to_stream(
    plans: Client, agents: Agents, path: str
) -> None:
    request_id = agents.script()
    body: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    body["messages" if path != RESPONSES else "input"] = [{"role": "user", "content": "hi"}]
    answer = plans.post("fail", "a,b,c", body, path=path, under=request_id)
    assert answer.status_code == 200
    first, second, last = agents.calls(request_id)
    for call in (first, second):
        assert call.json["stream"] is False
        assert "stream_options" not in call.json
    assert last.json["stream"] is True
    assert last.json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("streaming", ["", '"stream" : false,', '"stream": null,'])
def test_no_agent_is_asked_to_stream_what_the_client_wants_whole(
    plans: Client, agents: Agents, streaming: str
) -> None:
    request_id = agents.script()
    body = f'{{{streaming}"messages": [{{"role": "user", "content": "hi"}}]}}'.encode()
    assert plans.post("fail", "a,b", body, under=request_id).status_code == 200
    first, last = agents.calls(request_id)
    assert first.json["stream"] is False
    assert streaming.encode() in last.body


ODD = (
    rb'{ "x_unknown" : {"b":1.00, "a": [1e5, -0.0, "\u00e9\/"]},'
    rb'"messages":[ {"role":"system","content":"be \ud83d\ude00 brief","x":1.50} ,'
    rb'{"role":"user","content":[{"type":"text","text":"a\tb \ud800"},'
    rb'{"type":"odd","z":9007199254740993}]}'
    rb' ], "temperature":0.70 , "metadata":{"k":"v"}}'
)


def test_every_other_byte_of_the_body_survives(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    assert plans.post("fail", "a,b,c", ODD, under=request_id).status_code == 200
    first, second, last = agents.calls(request_id)
    inserted = [json.dumps(said(CHAT, agent)).encode() + b"," for agent in "ab"]
    assert first.body.replace(b',"stream":false', b"") == ODD
    assert second.body.replace(b',"stream":false', b"").replace(inserted[0], b"") == ODD
    assert last.body.replace(inserted[0], b"").replace(inserted[1], b"") == ODD
    user = last.body.index(b'{"role":"user"')
    assert last.body.index(inserted[0]) < last.body.index(inserted[1]) < user


def test_answers_stand_before_the_turns_user_message(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    history = [
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "name": "a", "content": "answered"},
        {"role": "user", "content": "now"},
        {"role": "assistant", "content": "begun"},
    ]
    assert plans.post("fail", "a,b", {"messages": history}, under=request_id).status_code == 200
    [_, last] = agents.calls(request_id)
    assert entries(last) == [*history[:2], said(CHAT, "a"), *history[2:]]


def test_tool_results_are_not_that_message(plans: Client, agents: Agents) -> None:
    """Text after the results is a turn again, so that the whole plan runs."""
    request_id = agents.script()
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "9"}
    history = [
        {"role": "user", "content": "ask"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "so far"},
    ]
    answer = plans.post("fail", "a,b", {"messages": history}, path=MESSAGES, under=request_id)
    assert answer.status_code == 200
    [_, last] = agents.calls(request_id)
    assert entries(last) == [said(MESSAGES, "a"), *history]


CONTINUATIONS: dict[str, dict[str, Any]] = {
    CHAT: {
        "messages": [
            {"role": "user", "content": "ask"},
            {"role": "assistant", "tool_calls": [{"id": "t"}]},
            {"role": "tool", "tool_call_id": "t", "content": "9"},
        ]
    },
    MESSAGES: {
        "messages": [
            {"role": "user", "content": "ask"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
        ]
    },
    RESPONSES: {
        "input": [
            {"role": "user", "content": "ask"},
            {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "9"},
        ]
    },
}


@pytest.mark.parametrize("path", PATHS)
def test_a_continuation_goes_to_the_last_agent_alone(
    plans: Client, agents: Agents, path: str
) -> None:
    request_id = agents.script()
    body = json.dumps(CONTINUATIONS[path]).encode()
    answer = plans.post("fail", "a,b,c", body, path=path, under=request_id)
    assert answer.headers["x-outerloop-plan"] == "c"
    assert answer.headers["x-outerloop-step"] == "1/1"
    [call] = agents.calls(request_id)
    assert (call.agent, call.body) == ("c", body)


HEADERS = [
    ("authorization", "Bearer client-key"),
    ("x-api-key", "client-key"),
    ("cookie", "a=b; c=d"),
    ("x-many", "1"),
    ("x-many", "2"),
    ("x_under", "score"),
    ("x-utf8", "José"),
    ("x-empty", ""),
    ("user-agent", "test/1"),
    ("accept", "application/json"),
    ("anthropic-version", "2023-06-01"),
    ("content-type", "application/json; charset=utf-8"),
    ("x-forwarded-host", "www.example"),
]
OF_THE_WAY = {"host", "content-length", "accept-encoding", "connection", "x-envoy-internal"}


def fields(call: Call) -> dict[str, str]:
    """The headers that all agents get alike; a repeated one is one with commas (RFC 9110)."""
    return {
        name: ",".join(call.all(name))
        for name, _ in call.headers
        if name not in OF_THE_WAY and not name.startswith("x-outerloop-")
    }


def test_earlier_agents_get_the_clients_headers_as_the_last_one_does(
    plans: Client, agents: Agents
) -> None:
    request_id = agents.script()
    headers = [(name, value.encode()) for name, value in HEADERS]
    answer = plans.post("fail", "a,b,c", under=request_id, headers=headers)
    assert answer.status_code == 200
    calls = agents.calls(request_id)
    for call in calls:
        sent = fields(call)
        for name, value in HEADERS:
            assert value.encode().decode("latin-1") in sent[name].split(","), name
        assert (sent["x-request-id"], sent["x-plan"]) == (request_id, "a,b,c")
        assert call.all("host") == [agents.urls[call.agent].removeprefix("http://")]
        assert call.all("content-length") == [str(len(call.body))]
    one_by_one = [{**fields(call), "traceparent": ""} for call in calls]
    assert one_by_one[0] == one_by_one[1] == one_by_one[2]


def test_all_agents_are_told_of_the_decision_alike(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    forged = [("x-outerloop-agent", "d"), ("X-Outerloop-Step", "9/9"), ("x_outerloop_x", "1")]
    answer = plans.post(
        "fail", "a,b,c", under=request_id, headers=[*forged, ("traceparent", TRACE)]
    )
    assert answer.headers["x-outerloop-plan"] == "a,b,c"
    assert answer.headers["x-outerloop-step"] == "3/3"
    assert answer.headers["x-outerloop-agent"] == "c"
    for number, call in enumerate(agents.calls(request_id), 1):
        told = {name: value for name, value in call.headers if re.match("x[-_]outerloop", name)}
        assert told == {
            "x-outerloop-agent": call.agent,
            "x-outerloop-plan": "a,b,c",
            "x-outerloop-step": f"{number}/3",
            "x-outerloop-source": "rule",
            "x-outerloop-confidence": "1.00",
            "x-outerloop-listener": "fail",
        }
        assert call.all("outerloop-hops") == ["1"]
        [parent] = call.all("traceparent")
        assert parent.split("-")[1] == TRACE.split("-")[1]


@pytest.mark.parametrize("request_id", ["5f0c9a0e-4c7e-4a53-9a41-0d7c8f3f1b2a", "mine"])
def test_the_request_id_is_never_changed(plans: Client, agents: Agents, request_id: str) -> None:
    assert plans.post("fail", "a,b,c", under=request_id).headers["x-request-id"] == request_id
    assert [call.agent for call in agents.calls(request_id)] == ["a", "b", "c"]


def test_agents_share_a_trace_that_begins_here(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    plans.post("fail", "a,b,c", under=request_id)
    traces = {(call.header("traceparent") or "").split("-")[1] for call in agents.calls(request_id)}
    assert len(traces) == 1
    assert re.fullmatch("[0-9a-f]{32}", traces.pop())


@pytest.mark.parametrize("query", ["", "?beta=true", "?a=%2F%7e&b=1+2&c=%C3%A9&d=/?&a", "?x=%zz"])
@pytest.mark.parametrize("path", PATHS)
def test_the_path_is_the_clients_own(plans: Client, agents: Agents, path: str, query: str) -> None:
    request_id = agents.script()
    assert plans.post("fail", "a,b", path=path + query, under=request_id).status_code == 200
    assert [call.target for call in agents.calls(request_id)] == [path + query] * 2


def test_a_path_prefix_is_kept_and_an_api_base_not_doubled(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    assert plans.post("fail", "prefixed,api,b", path=f"{CHAT}?k=v", under=request_id).is_success
    assert [call.target for call in agents.calls(request_id)] == [
        f"/some/base{CHAT}?k=v",
        f"/api{CHAT}?k=v",
        f"{CHAT}?k=v",
    ]


@pytest.mark.parametrize(("plan", "order"), [("unoffered,b", "db"), ("a,unoffered", "ad")])
def test_a_rule_may_name_an_agent_that_the_listener_does_not_offer(
    plans: Client, agents: Agents, plan: str, order: str
) -> None:
    request_id = agents.script()
    answer = plans.post("fail", plan, under=request_id)
    assert answer.headers["x-outerloop-plan"] == plan
    assert [call.agent for call in agents.calls(request_id)] == list(order)


def instructions(call: Call) -> str:
    """What the system says, as JSON."""
    body = call.json
    messages = [each for each in body.get("messages", ()) if each["role"] == "system"]
    return json.dumps([body.get("system"), body.get("instructions"), messages])


@pytest.mark.parametrize("path", PATHS)
def test_answers_in_what_the_system_says(plans: Client, agents: Agents, path: str) -> None:
    request_id = agents.script()
    answer = plans.post("system", "a,b,c", path=path, under=request_id)
    assert answer.status_code == 200
    first, second, last = agents.calls(request_id)
    assert "a says so" not in json.dumps(first.json)
    told = instructions(second)
    assert "agent a " in told
    assert "a says so" in told
    assert "b says so" not in told
    told = instructions(last)
    assert told.index("a says so") < told.index("agent b ") < told.index("b says so")
    if path == RESPONSES:
        assert last.json["input"] == "do it all"
    else:
        assert last.texts[-1] == ("user", "do it all")
        assert "assistant" not in dict(last.texts)


def test_a_plan_of_one_is_forwarded_byte_for_byte(plans: Client, agents: Agents) -> None:
    request_id = agents.script()
    assert plans.post("fail", "a", ODD, under=request_id).status_code == 200
    [call] = agents.calls(request_id)
    assert call.body == ODD
