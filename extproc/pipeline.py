"""One request end to end: admit, decode, plan, and the headers by which Envoy routes.

The only module that knows the stages. Errors leave it as values.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from extproc import names, traceparent
from extproc.apis.api import CODECS, decode
from extproc.conversation import Conversation
from extproc.errors import (
    MethodNotAllowed,
    NoAgentFits,
    NotFound,
    OrchestratorFailed,
    Reject,
    UnsupportedEncoding,
    UnsupportedGateway,
    to_reject,
)
from extproc.http import Answer, HttpRequest, Mutations
from extproc.orchestrator.api import Question
from extproc.plan import Decision, Plan, Source
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
            decision = await self.decide(listener.name, request.path, request.body)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            return to_reject(error)
        return _mutations(request, decision)

    async def decide(self, listener_name: str, path: str, body: bytes) -> Decision:
        """Decide one body on a listener. Raises `OuterloopError` and TimeoutError."""
        started = time.perf_counter()
        listener = self.runtime.listeners[listener_name]
        async with asyncio.timeout(listener.decision_timeout):
            conversation = decode(path, body, self.runtime.limits)
            plan = await _plan(listener, conversation)
        elapsed = (time.perf_counter() - started) * 1000
        return Decision(listener.name, plan, cached=False, milliseconds=elapsed)

    def _admit(self, request: HttpRequest) -> Listener:
        listener = self._listener(request)
        path = request.path
        allowed = _METHODS.get(path)
        if allowed is None:
            raise NotFound(f"no such path; this listener serves {', '.join(_METHODS)}")
        if request.method != allowed:
            raise MethodNotAllowed(request.method, allowed)
        encoding = request.headers.get("content-encoding")
        if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
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


async def _plan(listener: Listener, conversation: Conversation) -> Plan:
    if conversation.model in listener.agents:
        return Plan((conversation.model,), Source.EXPLICIT)
    if len(listener.agents) == 1:
        return Plan(listener.agents, Source.SINGLE)
    try:
        plan = await listener.strategy.decide(Question(conversation))
    except OrchestratorFailed:
        if listener.reject_error:
            raise
        return Plan((listener.default,), Source.FALLBACK, confidence=0.0)
    if plan.agents:
        return plan
    if listener.reject_none:
        raise NoAgentFits("no agent fits this conversation")
    return Plan((listener.default,), Source.DEFAULT, plan.confidence, plan.scores)


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
