"""Encoded request bodies: inflated where the file says so, else refused; filters see them plain."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Seen, Stack

CHAT = "/v1/chat/completions"
MESSAGE = {"role": "user", "content": "hi"}
BODY = json.dumps({"model": "hotel_agent", "messages": [MESSAGE]}).encode()


@pytest.fixture(scope="module")
def stack(travel_yaml: Callable[..., str], run_module_stack: Callable[..., Stack]) -> Stack:
    filters = "filters: [{id: length, type: builtin, use: limits, options: {max_chars: 100}}]"
    limits = "limits: {decompress: [gzip], max_request_bytes: 100KiB}"
    return run_module_stack(travel_yaml("input_filters: [length]", f"{filters}\n{limits}"))


def post(stack: Stack, body: bytes, encoding: str) -> httpx.Response:
    headers = {"content-encoding": encoding}
    return httpx.post(stack.url + CHAT, content=body, headers=headers, timeout=60)


def test_an_inflated_body_goes_on_inflated(
    stack: Stack, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    request = seen(post(stack, gzip.compress(BODY), "gzip").json())
    assert request.body == BODY
    assert request.header("content-encoding") is None
    assert request.all("content-length") == [str(len(BODY))]


def test_a_text_that_repeats_itself_is_inflated_whole(
    stack: Stack, seen: Callable[[dict[str, Any]], Seen]
) -> None:
    body = json.dumps({"model": "hotel_agent", "log": "x" * 90_000, "messages": [MESSAGE]}).encode()
    coded = gzip.compress(body)
    assert len(body) / len(coded) > 200
    assert seen(post(stack, coded, "gzip").json()).body == body


def test_a_filter_sees_what_was_inflated(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    long = gzip.compress(BODY.replace(b"hi", b"hi " * 100))
    error = refused(post(stack, long, "gzip"), CHAT, 403, "filter_denied")
    assert error["filter"] == "length"


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, deflate"])
def test_any_other_encoding_is_refused(
    encoding: str, stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    body = zlib.compress(BODY)
    refused(post(stack, body, encoding), CHAT, 415, "unsupported_encoding")


def test_the_limit_is_that_of_the_inflated_body(
    stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    body = gzip.compress(bytes(range(256)) * 1000, compresslevel=1)
    assert len(body) < 100 * 2**10
    refused(post(stack, body, "gzip"), CHAT, 413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    # The bytes have the time in them: they must not be the name of a test.
    [pytest.param(b"no gzip at all", id="none"), pytest.param(gzip.compress(BODY)[:-20], id="cut")],
)
def test_what_cannot_be_inflated_reaches_no_agent(
    body: bytes, stack: Stack, refused: Callable[..., dict[str, Any]]
) -> None:
    refused(post(stack, body, "gzip"), CHAT, 400, "invalid_request")
