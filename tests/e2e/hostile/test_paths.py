"""Paths that are nearly ours, and methods that are none of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.hostile.conftest import Agents, Wire

    Say = Callable[..., bytes]

CHAT: Final = "/v1/chat/completions"
PATHS: Final = (CHAT, "/v1/messages", "/v1/responses")
SPOOF: Final = "x-outerloop-agent: hotel_agent"

NORMALIZED: Final = {
    "//v1/chat/completions": CHAT,
    "/v1//chat///completions": CHAT,
    "/v1/./chat/completions": CHAT,
    "/v1/chat/../chat/completions": CHAT,
    "/v1/chat/%2e%2e/chat/completions": CHAT,
    "/../v1/chat/completions": CHAT,
    "/v1/%63hat/completions": CHAT,
    "/v1\\chat\\completions": CHAT,
    "http://test/v1/chat/completions": CHAT,
    "http://other.example:81/v1/chat/completions": CHAT,
    f"{CHAT}?a=b?c&d=//e/../f%2Fg": f"{CHAT}?a=b?c&d=//e/../f%2Fg",
    f"{CHAT}?": f"{CHAT}?",
    f"{CHAT}?x=/v1/messages": f"{CHAT}?x=/v1/messages",
}
UNKNOWN: Final = (
    "/",
    "/v1",
    "/v1/",
    "/v1/chat/completions/",
    "/v1/chat/completions/x",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/chat%2Fcompletions",
    "/v1/chat%2fcompletions",
    "/v1/chat/..%2fchat/completions",
    "/v1/chat/completions;x=y",
    "/v1/chat/completions;/v1/messages",
    "/v1/chat/completions%3fx",
    "/v1/chat/completions%23",
    "/v1/chat/completions%20",
    "/v1/chat/completions%2e",
    "/v1/chat/completions%",
    "/v1/chat/completions%0d%0ax-outerloop-agent:%20hotel_agent",
    "/v2/chat/completions",
    "/x/v1/chat/completions",
    "/requests",
    "/../../etc/passwd",
    "/healthz/",
    "/healthz/x",
    "/Healthz",
    "/ready",
    "/stats",
)
REFUSED: Final = (
    f"{CHAT}#x",
    f"{CHAT}?x#y",
    "v1/chat/completions",
    "*",
    f"{CHAT}%00",
    f"{CHAT}\xe9",
    f"{CHAT}?q=\xe9",
)


@pytest.mark.parametrize("target", NORMALIZED)
def test_an_agent_gets_the_path_that_was_decided_on(
    wire: Wire, agents: Agents, say: Say, target: str
) -> None:
    assert wire.request("POST", target, (SPOOF,), say()).agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.target == NORMALIZED[target]


def test_a_dotted_path_is_of_the_api_it_leads_to(wire: Wire, agents: Agents, say: Say) -> None:
    target = "/v1/chat/../messages"
    assert wire.request("POST", target, (), b"{").refuses(400, "invalid_request", "/v1/messages")
    assert wire.request("POST", target, (), say("/v1/messages")).agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.target == "/v1/messages"


@pytest.mark.parametrize("target", UNKNOWN)
def test_any_other_path_is_not_found(wire: Wire, agents: Agents, say: Say, target: str) -> None:
    assert wire.request("POST", target, (SPOOF,), say()).refuses(404, "not_found")
    assert wire.request("GET", target, (SPOOF,)).refuses(404, "not_found")
    answer = wire.h2_request(say(), target=target)
    assert answer is not None
    assert answer.refuses(404, "not_found")
    assert agents.saw() == []


@pytest.mark.parametrize("target", REFUSED)
def test_what_is_no_path_is_refused(wire: Wire, agents: Agents, say: Say, target: str) -> None:
    assert wire.request("POST", target, (SPOOF,), say()).refuses(400, "bad_request")
    assert agents.saw() == []


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_told_which_is_allowed(
    wire: Wire, agents: Agents, say: Say, path: str
) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        for body in (None, say(path)):
            answer = wire.request(method, path, ("X-HTTP-Method-Override: POST", SPOOF), body)
            assert answer.refuses(405, "method_not_allowed", path)
            assert answer.header("allow") == "POST"
    head = wire.request("HEAD", path)
    assert (head.status, head.header("x-outerloop-error")) == (405, "method_not_allowed")
    assert agents.saw() == []


def test_a_post_stays_a_post(wire: Wire, agents: Agents, say: Say) -> None:
    headers = ("X-HTTP-Method-Override: DELETE", "X-Method-Override: GET")
    assert wire.request(headers=headers, body=say()).agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.method == "POST"


@pytest.mark.parametrize("method", ["FOO", "post", "X" * 1000, "GET\tX"])
def test_a_method_that_is_no_http_is_refused(
    wire: Wire, agents: Agents, say: Say, method: str
) -> None:
    assert wire.request(method, CHAT, (SPOOF,), say()).refuses(400, "bad_request")
    assert agents.saw() == []


@pytest.mark.parametrize("target", ["127.0.0.1:80", CHAT, "test:443"])
def test_connect_is_no_tunnel(wire: Wire, agents: Agents, target: str) -> None:
    assert wire.request("CONNECT", target, (SPOOF,)).refuses(400, "bad_request")
    assert agents.saw() == []


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "tls/1.0", "foo"])
def test_an_upgrade_is_an_ordinary_request(
    wire: Wire, agents: Agents, say: Say, protocol: str
) -> None:
    headers = (
        "connection: upgrade, http2-settings",
        f"upgrade: {protocol}",
        "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version: 13",
    )
    assert wire.request("GET", CHAT, headers).refuses(405, "method_not_allowed")
    assert wire.request("GET", "/ws", headers).refuses(404, "not_found")
    assert agents.saw() == []
    assert wire.request(headers=headers, body=say()).agent == "flight_agent"
    (seen,) = agents.saw()
    assert seen.header("upgrade") is None


def test_a_client_that_waits_for_100_continue(wire: Wire, agents: Agents, say: Say) -> None:
    connection = wire.http1()
    connection.send(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\n")
    connection.send(f"content-length: {len(say())}\r\n\r\n")
    assert connection.line() == b"HTTP/1.1 100 Continue\r\n"
    assert connection.line() == b"\r\n"
    connection.send(say())
    answer = connection.answer()
    assert answer is not None
    assert answer.agent == "flight_agent"
    assert len(agents.saw()) == 1


@pytest.mark.parametrize(
    "target", ["/healthz", "/healthz?", "/healthz?probe=1", "//healthz", "/x/../healthz"]
)
def test_health_is_asked_by_get(wire: Wire, agents: Agents, say: Say, target: str) -> None:
    for body in (None, b"", say()):
        answer = wire.request("GET", target, (SPOOF,), body)
        assert (answer.status, answer.body) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert wire.request(method, target, (SPOOF,), say()).refuses(404, "not_found")
    assert wire.request("HEAD", target).status == 404
    assert agents.saw() == []
