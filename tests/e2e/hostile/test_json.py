"""Bodies that are nearly JSON, nearly a conversation, or more than a parser bears."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.hostile.conftest import Agents, Wire

    Say = Callable[..., bytes]

CHAT: Final = "/v1/chat/completions"
PATHS: Final = (CHAT, "/v1/messages", "/v1/responses")
TURN: Final = b'{"role": "user", "content": "hello"}'
HEAD: Final = b'{"model": "flight_agent", "messages": [%s]' % TURN


def with_member(text: bytes) -> bytes:
    """Return a conversation with one more member, written as it stands."""
    return HEAD + b", " + text + b"}"


def nested(levels: int) -> bytes:
    """Return a conversation whose deepest place is `levels` deep, counting the object itself."""
    return with_member(b'"a": ' + b"[" * (levels - 1) + b"]" * (levels - 1))


LEGAL: Final[dict[str, bytes]] = {
    "100 levels": nested(100),
    "brackets in a text": with_member(b'"a": "' + b"[{" * 50_000 + b'"'),
    "lone surrogates": with_member(rb'"a": "\ud800 \udfff \uDC00\uD800"'),
    "lone surrogates in the question": HEAD.replace(b"hello", rb"\ud83d hello \ude00") + b"}",
    "lone surrogates in a key": with_member(rb'"\ud800": 1'),
    "an integer of 10 MB": with_member(b'"a": ' + b"7" * 10_000_000),
    "a huge exponent": with_member(b'"a": [1e999999999999, -1E+999999999999, 1e-999999999999]'),
    "minus zero": with_member(b'"a": [-0, -0.0, 0e0]'),
    "a huge max_tokens": with_member(b'"max_tokens": ' + b"9" * 5000),
    "escaped controls": with_member(rb'"a": "\u0000\u0001\u001f\u007f\n"'),
    "a delete character": with_member(b'"a": "\x7f"'),
    "noncharacters": with_member('"a": "\uffff\ufdd0\U0010ffff"'.encode()),
    "line separators": with_member('"a": "\u2028\u2029"'.encode()),
    "a byte order mark within": with_member('"a": "\ufeff"'.encode()),
    "white space": b" \t\r\n" + with_member(b'"a" \t:\r\n1 ') + b"\n" * 1000,
    "an empty key": with_member(b'"": {"": ""}'),
    "keys that differ": with_member('"a": 1, "A": 2, "\u00e9": 3, "e\u0301": 4'.encode()),
    "null members": with_member(b'"stream": null, "tools": null'),
    "2000 messages": b'{"model": "flight_agent", "messages": [%s]}' % b",".join([TURN] * 2000),
}

ILLEGAL: Final[dict[str, bytes]] = {
    "1 byte": b"{",
    "a digit": b"1",
    "null": b"null",
    "true": b"true",
    "a text": b'"hello"',
    "a list": b"[" + HEAD + b"}]",
    "101 levels": nested(101),
    "10,000 levels": nested(10_000),
    "1,000,000 levels": nested(1_000_000),
    "10,000 levels never closed": with_member(b'"a": ' + b"[" * 10_000),
    "10,000 objects": with_member(b'"a": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "NaN": with_member(b'"a": NaN'),
    "Infinity": with_member(b'"a": Infinity'),
    "-Infinity": with_member(b'"a": [{"b": -Infinity}]'),
    "duplicate key": with_member(b'"model": "hotel_agent"'),
    "duplicate key, escaped": with_member(rb'"\u006dodel": "hotel_agent"'),
    "duplicate key, partly escaped": with_member(rb'"mod\u0065l": "hotel_agent"'),
    "duplicate key within": with_member(b'"a": {"b": 1, "b": 2}'),
    "duplicate key within, escaped": with_member(rb'"a": [{"b": 1, "\u0062": 2}]'),
    "duplicate key beyond ASCII": with_member('"\u00e9": 1, "\\u00e9": 2'.encode()),
    "duplicate empty key": with_member(b'"": 1, "": 2'),
    "duplicate surrogate pair": with_member('"\U0001f600": 1, "\\ud83d\\ude00": 2'.encode()),
    "duplicate key in a message": HEAD.replace(b'{"role"', b'{"role": "system", "role"') + b"}",
    "invalid UTF-8": with_member(b'"a": "\xff"'),
    "overlong UTF-8": with_member(b'"a": "\xc0\xaf"'),
    "a raw surrogate": with_member(b'"a": "\xed\xa0\x80"'),
    "cut UTF-8": with_member(b'"a": "\xe2\x82"'),
    "Latin-1": with_member('"a": "caf\xe9"'.encode("latin-1")),
    "a byte order mark": b"\xef\xbb\xbf" + HEAD + b"}",
    "UTF-16": (HEAD + b"}").decode().encode("utf-16"),
    "UTF-16 LE": (HEAD + b"}").decode().encode("utf-16-le"),
    "UTF-32": (HEAD + b"}").decode().encode("utf-32"),
    "a raw line break": with_member(b'"a": "\n"'),
    "a raw nul": with_member(b'"a": "\0"'),
    "a nul behind": HEAD + b"}\0",
    "a second object": (HEAD + b"}") * 2,
    "two lines": (HEAD + b"}\n") * 2,
    "garbage behind": HEAD + b"} garbage",
    "a comma behind": HEAD + b",}",
    "a comment": HEAD + b"/* */}",
    "single quotes": HEAD.replace(b'"', b"'") + b"}",
    "a bad escape": with_member(rb'"a": "\x41"'),
    "a cut escape": with_member(rb'"a": "\u12"'),
    "leading zeros": with_member(b'"a": 007'),
    "a plus": with_member(b'"a": +1'),
    "hexadecimal": with_member(b'"a": 0x1'),
    "a bare point": with_member(b'"a": .5'),
    "other white space": HEAD + b"\x0c}",
    "never closed": HEAD,
    "gzip": gzip.compress(HEAD + b"}"),
    "a form": b"model=flight_agent&messages=hello",
    "2001 messages": b'{"model": "flight_agent", "messages": [%s]}' % b",".join([TURN] * 2001),
    "100,000 messages": b'{"model": "flight_agent", "messages": [%s]}' % b",".join([b"{}"] * 10**5),
}

MISSHAPEN: Final[dict[str, tuple[str, Any]]] = {
    "chat: nothing": (CHAT, {}),
    "chat: no messages": (CHAT, {"model": "flight_agent"}),
    "chat: null": (CHAT, {"messages": None}),
    "chat: empty": (CHAT, {"messages": []}),
    "chat: text": (CHAT, {"messages": "hello"}),
    "chat: object": (CHAT, {"messages": {"role": "user", "content": "hello"}}),
    "chat: texts": (CHAT, {"messages": ["hello"]}),
    "chat: numbers": (CHAT, {"messages": [1, 2]}),
    "chat: no role": (CHAT, {"messages": [{"content": "hello"}]}),
    "chat: role of wrong type": (CHAT, {"messages": [{"role": 1, "content": "hello"}]}),
    "chat: content of wrong type": (CHAT, {"messages": [{"role": "user", "content": 1}]}),
    "chat: content object": (CHAT, {"messages": [{"role": "user", "content": {}}]}),
    "chat: model of wrong type": (CHAT, {"model": ["a"], "messages": [{"role": "user"}]}),
    "chat: stream of wrong type": (CHAT, {"stream": "yes", "messages": [{"role": "user"}]}),
    "messages: empty": ("/v1/messages", {"messages": []}),
    "messages: input": ("/v1/messages", {"input": "hello"}),
    "messages: role of wrong type": ("/v1/messages", {"messages": [{"role": None}]}),
    "responses: nothing": ("/v1/responses", {}),
    "responses: messages": ("/v1/responses", {"messages": [{"role": "user", "content": "a"}]}),
    "responses: empty text": ("/v1/responses", {"input": ""}),
    "responses: empty": ("/v1/responses", {"input": []}),
    "responses: number": ("/v1/responses", {"input": 1}),
    "responses: item of wrong type": ("/v1/responses", {"input": [[]]}),
    "responses: type of wrong type": ("/v1/responses", {"input": [{"type": 1}]}),
}


@pytest.mark.parametrize("case", LEGAL)
def test_legal_json_arrives_byte_for_byte(wire: Wire, agents: Agents, case: str) -> None:
    answer = wire.request(body=LEGAL[case])
    assert answer.status == 200, answer
    (seen,) = agents.saw()
    assert seen.agent == "flight_agent"
    assert seen.body == LEGAL[case]


@pytest.mark.parametrize("case", ILLEGAL)
def test_what_is_no_conversation_in_json_is_refused(wire: Wire, agents: Agents, case: str) -> None:
    answer = wire.request(body=ILLEGAL[case])
    assert answer.refuses(400, "invalid_request")
    assert "hello" not in answer.json["error"]["message"]
    assert len(answer.body) < 1000
    assert agents.saw() == []


@pytest.mark.parametrize("case", MISSHAPEN)
def test_what_is_no_conversation_of_its_api_is_refused(
    wire: Wire, agents: Agents, case: str
) -> None:
    path, document = MISSHAPEN[case]
    answer = wire.request("POST", path, (), json.dumps(document).encode())
    assert answer.refuses(400, "invalid_request", path)
    assert "hello" not in answer.json["error"]["message"]
    assert agents.saw() == []


@pytest.mark.parametrize("path", PATHS)
def test_each_api_refuses_in_its_own_shape(wire: Wire, agents: Agents, path: str) -> None:
    for body in (b"{", nested(10_000), b'{"a": NaN}', b'{"a": 1, "a": 1}', b'"\xff"'):
        assert wire.request("POST", path, (), body).refuses(400, "invalid_request", path)
    assert agents.saw() == []


@pytest.mark.parametrize(
    "encodings",
    [
        ("gzip",),
        ("GZIP",),
        (" br ",),
        ("identity, gzip",),
        ("gzip, identity",),
        ("identity", "gzip"),
        ("gzip", "identity"),
        ("x-unknown",),
        ("gzip;q=1",),
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_an_encoding_is_refused_whatever_the_body(
    wire: Wire, agents: Agents, say: Say, path: str, encodings: tuple[str, ...]
) -> None:
    headers = tuple(f"content-encoding: {value}" for value in encodings)
    for body in (gzip.compress(say(path)), say(path)):
        answer = wire.request("POST", path, headers, body)
        assert answer.refuses(415, "unsupported_encoding", path)
    assert agents.saw() == []


@pytest.mark.parametrize(
    "encodings", [("identity",), ("",), ("Identity", "identity"), ("identity, identity",)]
)
def test_no_encoding_said_in_words_is_none(
    wire: Wire, agents: Agents, say: Say, encodings: tuple[str, ...]
) -> None:
    headers = tuple(f"content-encoding: {value}" for value in encodings)
    assert wire.request(headers=headers, body=say()).agent == "flight_agent"
    assert len(agents.saw()) == 1


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=a",
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-16",
        "application/json, text/html",
        "",
        "\xff",
    ],
)
def test_the_bytes_count_and_not_what_they_are_called(
    wire: Wire, agents: Agents, say: Say, content_type: str
) -> None:
    headers = (f"content-type: {content_type}",)
    answer = wire.request(headers=headers, body=say())
    assert base64.b64decode(answer.json["body"]) == say()
    multipart = b'--a\r\ncontent-disposition: form-data; name="a"\r\n\r\n' + say() + b"\r\n--a--"
    assert wire.request(headers=headers, body=multipart).refuses(400, "invalid_request")
    assert len(agents.saw()) == 1
