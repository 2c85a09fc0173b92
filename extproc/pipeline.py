"""One request end to end: admit, decode, plan, and the headers by which Envoy routes.

The only module that knows the stages. Errors leave it as values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from extproc import names, traceparent
from extproc.apis.api import CODECS, decode
from extproc.conversation import Conversation
from extproc.errors import (
    LoopDetected,
    MethodNotAllowed,
    NotFound,
    Reject,
    UnsupportedEncoding,
    UnsupportedGateway,
    to_reject,
)
from extproc.forwarding import Trail, passed_loops
from extproc.http import HttpRequest, Mutations
from extproc.plan import Decision, StepRecord
from extproc.runtime import Listener, Runtime
from extproc.spans import Attributes
from extproc.steps import StepRunner, step_headers
from extproc.stream.events import Result, Unfinished

_METHODS: Final = {names.PATH_MODELS: "GET", **dict.fromkeys(CODECS, "POST")}
_NO_ENCODING: Final = frozenset({"", "identity"})
_MAX_LOOPS: Final = 8


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

    async def run(self, request: HttpRequest) -> Result:
        """Decide a whole request; where earlier agents are to run first, say so."""
        try:
            listener = self._admit(request)
            if request.path == names.PATH_MODELS:
                return Result(listener.models)
            trail = self._trail(request)
            with self.runtime.tracer.span("decide", trail.traceparent, {}) as span:
                decision, conversation = await self.decide(listener, request)
                span.set(_attributes(decision))
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            return Result(to_reject(error))
        if len(decision.plan.agents) == 1:
            return Result(_mutations(decision, trail), decision)
        unfinished = Unfinished(
            timeout=listener.steps.longest(decision.plan.agents[:-1]),
            finish=lambda: _finish(listener.steps, request, conversation, decision, trail),
        )
        return Result(unfinished, decision)

    async def decide(
        self, listener: Listener, request: HttpRequest
    ) -> tuple[Decision, Conversation]:
        """Decide a request to a listener. Raises `OuterloopError` and TimeoutError."""
        started = time.perf_counter()
        async with asyncio.timeout(listener.decision_timeout):
            conversation = decode(request.path, request.body, self.runtime.limits)
            plan, cached = await listener.decider.decide(request, conversation)
        elapsed = (time.perf_counter() - started) * 1000
        return Decision(listener.name, plan, cached, elapsed), conversation

    def listener_name(self, request: HttpRequest) -> str:
        """Return which listener a request came to; empty where the gateway names none of ours."""
        try:
            return self._listener(request).name
        except UnsupportedGateway:
            return ""

    def _trail(self, request: HttpRequest) -> Trail:
        parent = request.headers.get(names.HEADER_TRACEPARENT)
        if parent is None or traceparent.trace_id(parent) is None:
            parent = self.runtime.tracer.start()
        return Trail(parent, passed_loops(request.headers.get(names.HEADER_HOPS)) + 1)

    def _admit(self, request: HttpRequest) -> Listener:
        listener = self._listener(request)
        path = request.path
        allowed = _METHODS.get(path)
        if allowed is None:
            raise NotFound(f"no such path; this listener serves {', '.join(_METHODS)}")
        if request.method != allowed:
            raise MethodNotAllowed(request.method, allowed)
        if passed_loops(request.headers.get(names.HEADER_HOPS)) >= _MAX_LOOPS:
            raise LoopDetected("the request has passed through too many outer loops")
        encodings = request.headers.get_all("content-encoding")
        if encodings and not _NO_ENCODING.issuperset(_members(encodings)):
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


def _members(values: Iterable[str]) -> Iterator[str]:
    """Yield the members of a header that is a list, in lower case."""
    return (member.strip() for member in ",".join(values).lower().split(","))


async def _finish(
    steps: StepRunner,
    request: HttpRequest,
    conversation: Conversation,
    decision: Decision,
    trail: Trail,
) -> Result:
    """Run the earlier agents of the plan, then route to the last one."""
    records: list[StepRecord] = []
    try:
        final = await steps.run(request, conversation, decision, trail, records.append)
    except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
        answer: Mutations | Reject = to_reject(error)
    else:
        body = final.document.body if final is not conversation else None
        answer = _mutations(decision, trail, body)
    in_order = sorted(records, key=lambda record: decision.plan.agents.index(record.agent))
    return Result(answer, replace(decision, steps=tuple(in_order)))


def _attributes(decision: Decision) -> Attributes:
    return {
        "outerloop.listener": decision.listener,
        "outerloop.agent": decision.agent,
        "outerloop.plan": ",".join(decision.plan.agents),
        "outerloop.source": decision.plan.source.value,
        "outerloop.confidence": decision.plan.confidence,
        "outerloop.cached": decision.cached,
    }


def _mutations(decision: Decision, trail: Trail, body: bytes | None = None) -> Mutations:
    last = len(decision.plan.agents) - 1
    return Mutations(
        set_headers=(*step_headers(decision, last), *trail.headers()),
        body=body,
        reroute=True,
        metadata={
            names.METADATA_CACHED: decision.cached,
            names.METADATA_DECISION_MS: round(decision.milliseconds, 3),
            names.METADATA_CONFIDENCE: round(decision.plan.confidence, 4),
            names.METADATA_TRACE_ID: traceparent.trace_id(trail.traceparent) or "",
        },
    )
