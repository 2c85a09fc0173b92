"""Which requests come in: what the headers alone rule out, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from extproc import names
from extproc.apis.api import CODECS
from extproc.errors import (
    LoopDetected,
    MethodNotAllowed,
    NotFound,
    UnsupportedEncoding,
    UnsupportedGateway,
)
from extproc.forwarding import passed_loops
from extproc.http import HttpRequest
from extproc.runtime import Listener, Runtime

_METHODS: Final = {names.PATH_MODELS: "GET", **dict.fromkeys(CODECS, "POST")}
_NO_ENCODING: Final = frozenset({"", "identity"})
_MAX_LOOPS: Final = 8


def admit(runtime: Runtime, request: HttpRequest) -> Listener:
    """Return the listener that a request came to. Raises `OuterloopError`; the body is not read."""
    listener = listener_of(runtime, request)
    path, get = request.path, request.headers.get
    allowed = _METHODS.get(path)
    if allowed is None:
        raise NotFound(f"no such path; this listener serves {', '.join(_METHODS)}")
    if request.method != allowed:
        raise MethodNotAllowed(request.method, allowed)
    if passed_loops(get(names.HEADER_HOPS)) >= _MAX_LOOPS:
        raise LoopDetected("the request has passed through too many outer loops")
    if get("content-encoding") is not None:
        _check_encoding(runtime, request)
    return listener


def listener_of(runtime: Runtime, request: HttpRequest) -> Listener:
    """Return the listener that the gateway names. Raises `UnsupportedGateway`."""
    listeners = runtime.listeners
    name = request.headers.get(names.HEADER_LISTENER)
    if name is None and len(listeners) == 1:
        return next(iter(listeners.values()))
    listener = listeners.get(name or "")
    if listener is None:
        raise UnsupportedGateway(f"the gateway must set {names.HEADER_LISTENER} to a listener")
    return listener


def _check_encoding(runtime: Runtime, request: HttpRequest) -> None:
    encodings = request.headers.get_all("content-encoding")
    if not _NO_ENCODING.issuperset(_members(encodings)):
        known = runtime.limits.decompress
        others = f", or with one of {', '.join(known)} alone" if known else ""
        raise UnsupportedEncoding(f"send the body without a content-encoding{others}")


def _members(values: Iterable[str]) -> Iterator[str]:
    """Yield the members of a header that is a list, in lower case."""
    return (member.strip() for member in ",".join(values).lower().split(","))
