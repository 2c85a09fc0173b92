"""What an agent is sent is what the client sent: bytes, headers, path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, EchoAgent, Seen, Stack

ReadSeen = Callable[[dict[str, Any]], "Seen"]
SENT = b'{"model": "hotel_agent", "messages": [{"role": "user", "content": "hello"}]}'
CHAT = "/v1/chat/completions"
START = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def ask(http: httpx.Client, travel: Stack, seen: ReadSeen) -> Callable[..., Seen]:
    """Post to the hotel agent; return what it got."""

    def post(headers: dict[str, str], body: bytes = SENT, target: str = CHAT) -> Seen:
        answer = http.post(travel.url + target, content=body, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return seen(answer.json())

    return post


BODIES = {
    "whitespace": b' {\n\t"model" :"hotel_agent" ,\r\n '
    b'"messages":[ {"role":"user","content":"a"} ] }\n ',
    "order": b'{"z": 1, "messages": [{"content": "a", "role": "user"}], "a": 2, '
    b'"model": "hotel_agent"}',
    "numbers": b'{"a": [1.0, 1.00, 1e2, 1E+2, -0, 0.1000000000000000055511151231257827], '
    b'"messages": [{"role": "user", "content": "a"}], "model": "hotel_agent", '
    b'"big": 123456789012345678901234567890, "small": 5e-324}',
    "escapes": rb'{"messages": [{"role": "user", "content": "\u00e9\u0041\/\t\ud83d\ude00"}], '
    rb'"model": "hotel_agent", "k\u0065y": "\b\f"}',
    "lone surrogates": rb'{"messages": [{"role": "user", "content": "\ud800 \udfff"}], '
    rb'"model": "hotel_agent", "\udc00": "\ud800"}',
    "characters": '{"messages": [{"role": "user", "content": "Zürich 東京 👩‍✈️ \u2028"}], '
    '"model": "hotel_agent", "naïve": "é"}'.encode(),
    "unknown fields": b'{"messages": [{"role": "user", "content": "a", "x": {"y": [null, true]}}], '
    b'"model": "hotel_agent", "temperature": 0.70, "vendor_extension": {"deep": [[[{}]]]}}',
    "tools": b'{"model": "hotel_agent", "tools": [{"type": "function", "function": {"name": "f", '
    b'"parameters": {"type": "object"}}}], "messages": [{"role": "user", "content": "a"}]}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_body_is_the_same_byte_for_byte(ask: Callable[..., Seen], body: bytes) -> None:
    got = ask({"content-type": "application/json"}, body)
    assert got.body == body
    assert got.all("content-length") == [str(len(body))]
    assert got.all("transfer-encoding") == []
    assert got.agent == "hotel_agent"


MESSAGES_BODY = (
    b'{"max_tokens":1,"model":"hotel_agent","messages":[{"role":"user","content":[{"type":"text",'
    b'"text":"a","cache_control":{"type":"ephemeral"}}]}],"system":"s"}'
)
RESPONSES_BODY = (
    b'{"model":"hotel_agent","input":[{"type":"message","role":"user","content":['
    b'{"type":"input_text","text":"a"}]}],"include":["x"],"store":false}'
)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", MESSAGES_BODY),
        ("/v1/responses", RESPONSES_BODY),
        ("/v1/responses", b'{"input":"a",   "model":"hotel_agent"}'),
    ],
)
def test_so_it_is_for_the_other_apis(ask: Callable[..., Seen], path: str, body: bytes) -> None:
    got = ask({}, body, path)
    assert (got.target, got.body) == (path, body)


def test_a_chunked_body_arrives_whole(
    travel: Stack, http1: Callable[[int, bytes], Answer], echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["hotel_agent"].forget()
    head = f"{START}transfer-encoding: chunked\r\n\r\n"
    pieces = (SENT[:7], SENT[7:30], SENT[30:])
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    assert http1(travel.port, head.encode() + chunks + b"0\r\n\r\n").status == 200
    (got,) = echo_agents["hotel_agent"].requests()
    assert got.body == SENT


def test_credentials_and_cookies_arrive_unchanged(ask: Callable[..., Seen]) -> None:
    sent = {
        "authorization": "Bearer sk-Test-._~+/==",
        "x-api-key": "sk-ant-0",
        "cookie": "a=1; b=2",
        "openai-organization": "org-1",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "tools-2024-04-04,files",
    }
    got = ask(sent)
    assert {name: got.all(name) for name in sent} == {name: [value] for name, value in sent.items()}


def test_other_headers_arrive_repeated_and_with_underscores(
    travel: Stack, http1: Callable[[int, bytes], Answer], echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["hotel_agent"].forget()
    head = (
        f"{START}content-length: {len(SENT)}\r\n"
        "x_tenant_id: acme\r\nX-Many: one\r\nX-Many: two, three\r\nx-empty:\r\nx-city: Zürich\r\n"
        "accept: text/event-stream\r\nuser-agent: me/1.0 (test)\r\nX-Outer: no relation\r\n\r\n"
    )
    assert http1(travel.port, head.encode() + SENT).status == 200
    (got,) = echo_agents["hotel_agent"].requests()
    assert got.all("x_tenant_id") == ["acme"]
    assert got.all("x-many") == ["one", "two, three"]
    assert got.all("x-empty") == [""]
    assert got.all("x-city") == ["Zürich".encode().decode("latin-1")]
    assert got.all("accept") == ["text/event-stream"]
    assert got.all("user-agent") == ["me/1.0 (test)"]
    assert got.all("x-outer") == ["no relation"]


def test_a_missing_content_type_is_taken_as_json(
    travel: Stack, http1: Callable[[int, bytes], Answer], echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["hotel_agent"].forget()
    head = f"{START}content-length: {len(SENT)}\r\n\r\n"
    assert http1(travel.port, head.encode() + SENT).status == 200
    (got,) = echo_agents["hotel_agent"].requests()
    assert got.all("content-type") == []
    assert got.body == SENT


def test_any_content_type_arrives_as_sent(ask: Callable[..., Seen]) -> None:
    kind = "text/plain;  charset=UTF-8"
    assert ask({"content-type": kind}).all("content-type") == [kind]


def test_the_host_is_the_agents(
    ask: Callable[..., Seen], echo_agents: dict[str, EchoAgent]
) -> None:
    got = ask({"host": "gateway.example"})
    assert got.all("host") == [f"127.0.0.1:{echo_agents['hotel_agent'].port}"]
    assert got.all("x-forwarded-host") == ["gateway.example"]


@pytest.mark.parametrize("query", ["?beta=true", "?a=%2F&b=%C3%A9&c=+", "?"])
def test_the_query_arrives(ask: Callable[..., Seen], query: str) -> None:
    assert ask({}, target=CHAT + query).target == CHAT + query


def test_a_request_id_of_the_client_stays(
    http: httpx.Client, travel: Stack, seen: ReadSeen
) -> None:
    sent = "client/Chose this: 1"
    answer = http.post(travel.url + CHAT, content=SENT, headers={"x-request-id": sent})
    assert seen(answer.json()).all("x-request-id") == [sent]
    assert answer.headers.get_list("x-request-id") == [sent]


def test_a_missing_request_id_is_made(http: httpx.Client, travel: Stack, seen: ReadSeen) -> None:
    answers = [http.post(travel.url + CHAT, content=SENT) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [seen(answer.json()).all("x-request-id") for answer in answers] == [[id_] for id_ in ids]
    assert all(len(id_) == 36 for id_ in ids)
    assert ids[0] != ids[1]


def test_a_trace_of_the_client_goes_on(ask: Callable[..., Seen]) -> None:
    got = ask({"traceparent": TRACEPARENT, "tracestate": "vendor=1", "baggage": "k=v"})
    assert got.all("traceparent") == [TRACEPARENT]
    assert got.all("tracestate") == ["vendor=1"]
    assert got.all("baggage") == ["k=v"]


def test_a_missing_trace_is_begun(ask: Callable[..., Seen]) -> None:
    (first,), (second,) = (ask({}).all("traceparent") for _ in range(2))
    version, trace, span, flags = first.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "00")
    assert trace != second.split("-")[1]


def test_http2_with_prior_knowledge(
    travel: Stack, http2: Callable[..., Answer], echo_agents: dict[str, EchoAgent]
) -> None:
    echo_agents["hotel_agent"].forget()
    pseudo = [(":method", "POST"), (":path", CHAT), (":scheme", "http"), (":authority", "x")]
    answer = http2(travel.port, [*pseudo, ("x-request-id", "over-h2")], SENT)
    assert (answer.status, answer.header("x-outerloop-agent")) == (200, "hotel_agent")
    assert answer.header("x-request-id") == "over-h2"
    (got,) = echo_agents["hotel_agent"].requests()
    assert got.body == SENT
    assert got.all("content-length") == [str(len(SENT))]


@pytest.mark.parametrize(
    "case",
    [
        ("/prefix", "/v1/messages?beta=true", "/prefix/v1/messages?beta=true"),
        ("/prefix/", CHAT, f"/prefix{CHAT}"),
        ("/deep/er/v1", CHAT, f"/deep/er{CHAT}"),
        ("/v1", CHAT, CHAT),
        ("/v1/", "/v1/messages", "/v1/messages"),
    ],
)
def test_a_path_of_the_agents_url_is_its_prefix(
    http: httpx.Client, prefixed: Stack, seen: ReadSeen, case: tuple[str, str, str]
) -> None:
    base, path, expected = case
    agent = PREFIXED[base]
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "a"}]}' % agent.encode()
    answer = http.post(prefixed.url + path, content=body)
    assert answer.headers["x-outerloop-agent"] == agent
    assert seen(answer.json()).target == expected


PREFIXED = {"/prefix": "a", "/prefix/": "b", "/deep/er/v1": "c", "/v1": "d", "/v1/": "e"}


@pytest.fixture(scope="module")
def prefixed(echo_agents: dict[str, EchoAgent], run_module_stack: Callable[..., Stack]) -> Stack:
    url = echo_agents["hotel_agent"].url
    agents = "\n".join(f"  - {{id: {id_}, url: '{url}{base}'}}" for base, id_ in PREFIXED.items())
    offered = "\n".join(f"      - {{id: {id_}}}" for id_ in PREFIXED.values())
    return run_module_stack(
        f"version: v1\nagents:\n{agents}\n"
        f"listeners:\n  - name: main\n    port: 0\n    agents:\n{offered}\n"
    )
