"""One request end to end: admit, decode, plan, and the headers by which Envoy routes.

The only module that knows the stages. Errors leave it as values.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from extproc import names, traceparent
from extproc.apis.api import CODECS, decode
from extproc.errors import (
    MethodNotAllowed,
    NotFound,
    Reject,
    UnsupportedEncoding,
    UnsupportedGateway,
    to_reject,
)
from extproc.http import Answer, HttpRequest, Mutations
from extproc.plan import Decision
from extproc.runtime import Listener, Runtime

_METHODS: Final = {names.PATH_MODELS: "GET", **dict.fromkeys(CODECS, "POST")}


class Pipeline:
    """Decides requests by one `Runtime`. Never raises but for cancellation."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def screen(self, request: HttpRequest) -> Reject | None:
        """Refuse what the headers alone rule out, or return None."""
        try:
            self._admit(request)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            return to_reject(error)
        return None

    async def run(self, request: HttpRequest) -> Mutations | Reject | Answer:
        """Decide a whole request."""
        try:
            listener = self._admit(request)
            if request.path == names.PATH_MODELS:
                return listener.models
            decision = await self.decide(listener, request)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            return to_reject(error)
        return _mutations(request, decision)

    async def decide(self, listener: Listener, request: HttpRequest) -> Decision:
        """Decide a request to a listener. Raises `OuterloopError` and TimeoutError."""
        started = time.perf_counter()
        async with asyncio.timeout(listener.decision_timeout):
            conversation = decode(request.path, request.body, self.runtime.limits)
            plan, cached = await listener.decider.decide(request, conversation)
        elapsed = (time.perf_counter() - started) * 1000
        return Decision(listener.name, plan, cached, elapsed)

    def _admit(self, request: HttpRequest) -> Listener:
        listener = self._listener(request)
        path = request.path
        allowed = _METHODS.get(path)
        if allowed is None:
            raise NotFound(f"no such path; this listener serves {', '.join(_METHODS)}")
        if request.method != allowed:
            raise MethodNotAllowed(request.method, allowed)
        encodings = ",".join(request.headers.get_all("content-encoding")).lower().split(",")
        if {encoding.strip() for encoding in encodings} - {"", "identity"}:
            raise UnsupportedEncoding("send the body without a content-encoding")
        return listener

    def _listener(self, request: HttpRequest) -> Listener:
        listeners = self.runtime.listeners
        name = request.headers.get(names.HEADER_LISTENER)
        if name is None and len(listeners) == 1:
            return next(iter(listeners.values()))
        listener = listeners.get(name or "")
        if listener is None:
            raise UnsupportedGateway(f"the gateway must set {names.HEADER_LISTENER} to a listener")
        return listener


def _mutations(request: HttpRequest, decision: Decision) -> Mutations:
    plan = decision.plan
    headers: tuple[tuple[str, str], ...] = (
        (names.HEADER_AGENT, decision.agent),
        (names.HEADER_PLAN, ",".join(plan.agents)),
        (names.HEADER_STEP, f"{len(plan.agents)}/{len(plan.agents)}"),
        (names.HEADER_SOURCE, plan.source.value),
        (names.HEADER_CONFIDENCE, f"{plan.confidence:.2f}"),
        (names.HEADER_LISTENER, decision.listener),
    )
    context = request.headers.get(names.HEADER_TRACEPARENT)
    trace_id = traceparent.trace_id(context)
    if trace_id is None:
        context = traceparent.start()
        trace_id = traceparent.trace_id(context) or ""
        headers += ((names.HEADER_TRACEPARENT, context),)
    return Mutations(
        set_headers=headers,
        reroute=True,
        metadata={
            names.METADATA_CACHED: decision.cached,
            names.METADATA_DECISION_MS: round(decision.milliseconds, 3),
            names.METADATA_CONFIDENCE: round(plan.confidence, 4),
            names.METADATA_TRACE_ID: trace_id,
        },
    )
