"""The access log: one JSON object for each request of a client."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import EchoAgent, Stack

CHAT = "/v1/chat/completions"
BODY = {"model": "hotel_agent", "messages": [{"role": "user", "content": "a secret prompt"}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"
KEYS = {
    *("time", "request_id", "trace_id", "listener", "method", "path", "status", "agent", "plan"),
    *(
        "source",
        "confidence",
        "observed",
        "filters",
        "output_filters",
        "variant",
        "upstream_host",
        "attempts",
        "bytes_in",
        "bytes_out",
    ),
    *("duration_ms", "decision_ms", "first_byte_ms", "error", "details"),
    *("input_tokens", "output_tokens"),
}


def numbers(line: dict[str, Any], *names: str) -> None:
    for name in names:
        assert isinstance(line.pop(name), int | float), name


def test_a_routed_request(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    answer = http.post(
        f"{travel.url}{CHAT}?key=secret",
        json=BODY,
        headers={
            "x-request-id": "log-routed",
            "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
            "authorization": "Bearer secret",
        },
    )
    line = travel.access_log("log-routed")
    assert set(line) == KEYS
    assert "secret" not in json.dumps(line)
    sent, got = len(answer.request.content), len(answer.content)
    assert (line.pop("bytes_in"), line.pop("bytes_out")) == (sent, got)
    numbers(line, "duration_ms", "decision_ms", "first_byte_ms")
    moment = dt.datetime.fromisoformat(line.pop("time"))
    assert abs((dt.datetime.now(dt.UTC) - moment).total_seconds()) < 600
    assert line == {
        "request_id": "log-routed",
        "trace_id": TRACE,
        "listener": "travel",
        "method": "POST",
        "path": CHAT,
        "status": 200,
        "agent": "hotel_agent",
        "plan": "hotel_agent",
        "source": "explicit",
        "confidence": 1,
        "observed": None,
        "filters": None,
        "output_filters": None,
        "variant": None,
        "upstream_host": f"127.0.0.1:{echo_agents['hotel_agent'].port}",
        "attempts": 1,
        "input_tokens": None,
        "output_tokens": None,
        "error": None,
        "details": "via_upstream",
    }


def test_an_agents_own_error(http: httpx.Client, travel: Stack) -> None:
    wish = {"x-request-id": "log-429", "x-test-status": "429"}
    http.post(travel.url + CHAT, json=BODY, headers=wish)
    line = travel.access_log("log-429")
    assert (line["status"], line["error"], line["agent"]) == (429, None, "hotel_agent")


def test_a_rejected_request(http: httpx.Client, travel: Stack) -> None:
    url = f"{travel.url}/v1/messages?beta=true"
    http.post(url, content=b"{", headers={"x-request-id": "log-rejected"})
    line = travel.access_log("log-rejected")
    assert set(line) == KEYS
    numbers(line, "duration_ms", "bytes_in", "bytes_out")
    for name in ("time", "trace_id", "decision_ms", "first_byte_ms", "attempts", "details"):
        del line[name]
    nothing = (
        "agent",
        "plan",
        "source",
        "confidence",
        "observed",
        "filters",
        "output_filters",
        "variant",
        "upstream_host",
        "input_tokens",
        "output_tokens",
    )
    assert line == dict.fromkeys(nothing) | {
        "request_id": "log-rejected",
        "listener": "travel",
        "method": "POST",
        "path": "/v1/messages",
        "status": 400,
        "error": "invalid_request",
    }


def test_an_error_of_envoys_own(http: httpx.Client, travel: Stack) -> None:
    wish = {"x-request-id": "log-reset", "x-test-abort": "now"}
    http.post(travel.url + CHAT, json=BODY, headers=wish)
    line = travel.access_log("log-reset")
    assert set(line) == KEYS
    assert (line["status"], line["error"], line["agent"]) == (503, "upstream_reset", "hotel_agent")


def test_a_client_that_hangs_up(
    http: httpx.Client, travel: Stack, echo_agents: dict[str, EchoAgent]
) -> None:
    wish = {"x-request-id": "log-gone", "x-test-sse": "2,0", "x-test-hold": "now"}
    with http.stream("POST", travel.url + CHAT, json=BODY, headers=wish) as answer:
        assert answer.status_code == 200
    line = travel.access_log("log-gone")
    assert (line["status"], line["agent"]) == (200, "hotel_agent")
    assert line["details"].startswith("downstream_remote_disconnect")
    assert "log-gone" not in echo_agents["weather_agent"].running()


def test_an_agent_that_breaks_off_in_a_stream(http: httpx.Client, travel: Stack) -> None:
    wish = {"x-request-id": "log-broken", "x-test-sse": "2,0", "x-test-abort": "now"}
    with (
        pytest.raises(httpx.RemoteProtocolError),
        http.stream("POST", travel.url + CHAT, json=BODY, headers=wish) as answer,
    ):
        answer.read()
    line = travel.access_log("log-broken")
    assert (line["status"], line["agent"]) == (200, "hotel_agent")
    assert line["details"].startswith("upstream_reset_after_response_started")


def test_an_explicit_id_that_would_break_json(http: httpx.Client, travel: Stack) -> None:
    awkward = 'log-"quoted\\back'
    http.post(travel.url + CHAT, json=BODY, headers={"x-request-id": awkward})
    line = travel.process.wait_line(lambda line: "log-" in line and "quoted" in line, 15)
    assert json.loads(line)["request_id"] == awkward


def test_health_checks_have_no_line(http: httpx.Client, travel: Stack) -> None:
    answer = http.get(travel.url + "/healthz", headers={"x-request-id": "log-health"})
    assert answer.status_code == 200
    http.get(travel.url + "/v1/models", headers={"x-request-id": "log-after-health"})
    assert travel.access_log("log-after-health")["path"] == "/v1/models"
    assert not [line for line in travel.process.out.lines if '"log-health"' in line]


def test_every_line_is_json(http: httpx.Client, travel: Stack) -> None:
    http.get(travel.url + "/v1/models", headers={"x-request-id": "log-last"})
    travel.access_log("log-last")
    lines = [line for line in travel.process.out.lines if line.startswith("{")]
    assert all(set(json.loads(line)) == KEYS for line in lines)
    assert not [line for line in travel.process.out.lines if "secret" in line]


@pytest.mark.parametrize("destination", ["file", "null"])
def test_the_log_goes_where_the_file_says(
    http: httpx.Client,
    run_stack: Callable[..., Stack],
    travel_yaml: Callable[..., str],
    tmp_path: Path,
    destination: str,
) -> None:
    log = tmp_path / "access.log"
    where = log if destination == "file" else destination
    stack = run_stack(travel_yaml(more=f"observability: {{access_log: {where}}}"))
    answer = http.post(stack.url + CHAT, json=BODY, headers={"x-request-id": "elsewhere"})
    assert answer.status_code == 200
    assert stack.process.stop() == 0
    assert not [line for line in stack.process.out.lines if line.startswith("{")]
    if destination == "file":
        (line,) = log.read_text().splitlines()
        assert json.loads(line)["request_id"] == "elsewhere"
