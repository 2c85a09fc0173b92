from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from extproc.admission import admit, listener_of
from extproc.errors import OuterloopError, UnsupportedGateway
from extproc.http import Headers, HttpRequest
from extproc.runtime import Runtime

CHAT = "/v1/chat/completions"

MakeRuntime = Callable[..., Runtime]


def request(*headers: tuple[str, str], path: str = CHAT, method: str = "POST") -> HttpRequest:
    return HttpRequest(method, path, Headers(headers), b"")


@pytest.mark.parametrize(
    "allowed",
    [
        request(),
        request(path="/v1/messages?beta=true"),
        request(path="/v1/models", method="GET"),
        request(("content-encoding", "Identity")),
        request(("content-encoding", "identity, identity"), ("content-encoding", "")),
        request(("outerloop-hops", "7")),
    ],
)
def test_what_comes_in(allowed: HttpRequest, make_runtime: MakeRuntime) -> None:
    assert admit(make_runtime(), allowed).name == "main"


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (request(path="/v1/embeddings"), 404),
        (request(path="/v1/models"), 405),
        (request(("outerloop-hops", "8")), 508),
        (request(("content-encoding", "identity"), ("content-encoding", "gzip")), 415),
    ],
)
def test_what_does_not(refused: HttpRequest, status: int, make_runtime: MakeRuntime) -> None:
    with pytest.raises(OuterloopError) as caught:
        admit(make_runtime(), refused)
    assert caught.value.reject().status == status


def test_the_listener_is_the_one_that_the_gateway_names(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    [main] = runtime.listeners.values()
    other = replace(main, name="other")
    two = replace(runtime, listeners={"main": main, "other": other})
    assert listener_of(runtime, request()) is main
    assert listener_of(two, request(("x-outerloop-listener", "other"))) is other
    for unknown in (request(), request(("x-outerloop-listener", "third"))):
        with pytest.raises(UnsupportedGateway, match="x-outerloop-listener"):
            listener_of(two, unknown)
