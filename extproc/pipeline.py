"""One request end to end: admit, decode, filter, plan, and the headers by which Envoy routes.

The only module that knows the stages. Errors leave it as values.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AbstractContextManager
from typing import Final

from extproc import names, traceparent
from extproc.admission import admit, listener_of
from extproc.answering import Answering, describe, describe_unfiltered
from extproc.apis.api import decode
from extproc.apis.edits import encode
from extproc.budget import Budget
from extproc.capturing import capture
from extproc.conversation import Conversation
from extproc.errors import Reject, UnsupportedGateway, to_reject
from extproc.exchange import Exchange
from extproc.filters.bodies import conversation_reader
from extproc.forwarding import Trail, passed_loops
from extproc.http import NO_METADATA, HttpRequest, Metadata, Mutations
from extproc.off_loop import off_loop
from extproc.plan import LONGEST_WAIT, Decision, FilterRecord
from extproc.recording import Outcome
from extproc.request_span import NAME, of_plan, of_request
from extproc.runtime import Listener, Runtime
from extproc.spans import Span, current
from extproc.stream.events import ResponseHeaders, Result, Unfinished
from extproc.verdict import verdict_of

_LONGEST_WAIT: Final = LONGEST_WAIT.total_seconds()


class Pipeline:
    """Decides requests by one `Runtime`. Never raises but for cancellation."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.patience = runtime.limits.request_timeout.total_seconds()
        """How long the next part of a request may take to come, in seconds."""

    def screen(self, request: HttpRequest) -> Listener | Reject | None:
        """Look at the headers alone; return whose the request is, or the refusal.

        None where that is not for now to say.
        """
        if self.takes_over(request):
            # It was admitted already, and has counted this loop.
            return None
        try:
            return admit(self.runtime, request)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            # Where nothing is refused, it is only noted: with the decision that is yet to come.
            return None if self._observes(request) else to_reject(error)

    def takes_over(self, request: HttpRequest) -> bool:
        """Return whether a request that was meant for another agent is to be one for its own."""
        target = request.headers.get(names.HEADER_TARGET)
        return target is not None and target.startswith(names.TAKEOVER)

    async def readdress(self, request: HttpRequest) -> Mutations | Reject:
        """Return what makes a request that takes over one for its agent: nothing is decided."""
        target = request.headers.get(names.HEADER_TARGET) or ""
        model = self.runtime.models.get(target.removeprefix(names.TAKEOVER))
        if model is None:
            return Mutations()
        try:
            body = await off_loop(len(request.body), _with_model, request, model, self.runtime)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            return to_reject(error)
        return Mutations(body=body)

    def span(self, request: HttpRequest, gateway: str | None) -> AbstractContextManager[Span]:
        """Return the span of a request: under the gateway's, which that names in the stream.

        Where it has none it is under the client's, or begins a trace.
        """
        tracer = self.runtime.tracer
        parent = self._parent(request, gateway)
        if not tracer.exports:
            return tracer.span(NAME, parent, {}, "server")
        attributes = of_request(
            self.listener_name(request), request.headers, self.runtime.span_headers
        )
        return tracer.span(NAME, parent, attributes, "server")

    async def run(
        self,
        request: HttpRequest,
        filters: list[FilterRecord] | None = None,
        span: str | None = None,
        admitted: Listener | None = None,
    ) -> Result:
        """Decide a whole request; where earlier agents are to run first, say so.

        `filters` gets the records of filters as they end, also where this is cancelled. `span` is
        the `traceparent` that all is done under, `admitted` what `screen` said.
        """
        exchange: Exchange | None = None
        try:
            listener = admitted or admit(self.runtime, request)
            if request.path == names.PATH_MODELS:
                return Result(listener.models, observed=listener.observes)
            exchange = Exchange(
                request,
                _trail(request, span or self._parent(request, None)),
                Budget(listener.decision_timeout),
                [] if filters is None else filters,
                [],
            )
            decision, conversation, exchange = await self._decide(listener, exchange)
        except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
            refused = _result(to_reject(error), exchange, None)
            return _observed(refused) if self._observes(request) else refused
        if listener.observes:
            return _observed(_result(_mutations(decision, exchange, None), exchange, decision))
        if len(decision.plan.agents) == 1:
            return await _finish(listener, exchange, conversation, decision)
        earlier = listener.steps.longest(decision.plan.agents[:-1])
        unfinished = Unfinished(
            timeout=min(earlier + max(0.0, exchange.budget.left), _LONGEST_WAIT),
            finish=lambda: _finish(listener, exchange, conversation, decision),
        )
        return _result(unfinished, exchange, decision)

    def answering(self, event: ResponseHeaders) -> Answering | None:
        """Return what filters an answer, None where it is none of an agent and passes as it is.

        Raises `UnsupportedGateway` where nobody could say what filters it would need.
        """
        if event.details not in {None, names.DETAILS_OF_AGENTS}:
            return None
        if event.exchange is None:
            raise UnsupportedGateway(
                "the gateway must forward the metadata namespace "
                f"{names.METADATA_NAMESPACE} to the filters of answers"
            )
        exchange = json.loads(event.exchange)
        listener = self.runtime.listeners.get(exchange["listener"])
        filters = listener.answers.get(exchange["agent"]) if listener is not None else None
        return Answering(filters, exchange, event) if filters is not None else None

    async def decide(
        self, listener: Listener, request: HttpRequest
    ) -> tuple[Decision, Conversation]:
        """Decide a request to a listener. Raises `OuterloopError` and TimeoutError."""
        trail = _trail(request, self._parent(request, None))
        exchange = Exchange(request, trail, Budget(listener.decision_timeout), [], [])
        decision, conversation, _ = await self._decide(listener, exchange)
        return decision, conversation

    async def _decide(
        self, listener: Listener, exchange: Exchange
    ) -> tuple[Decision, Conversation, Exchange]:
        """Filter and decide; return what came of it. Raises `OuterloopError` and TimeoutError."""
        clock = time.perf_counter
        request, limits = exchange.request, self.runtime.limits
        started = clock()
        with exchange.budget:
            body = request.body
            # Conversations are decoded twice as fast as other bodies are read.
            conversation = await off_loop(len(body) // 2, decode, request.path, body, limits)
            if listener.input.links:
                filtering = clock()
                outcome = await listener.input.run(
                    request.body,
                    exchange.setting(((names.HEADER_LISTENER, listener.name),)),
                    conversation_reader(conversation.api, limits),
                )
                conversation = outcome.changed or conversation
                exchange = exchange.tagged(outcome.tags)
                started += clock() - filtering
            parent = exchange.trail.traceparent
            with self.runtime.tracer.span("decide", parent, {}) as span, current(span):
                plan, cached = await listener.decider.decide(exchange.request, conversation)
                if span.is_recording:
                    span.set(of_plan(plan, cached=cached))
        if self.runtime.captures:
            exchange = exchange._replace(captured=capture(conversation))
        elapsed = (clock() - started) * 1000
        return Decision(listener.name, plan, cached, elapsed), conversation, exchange

    def listener_name(self, request: HttpRequest) -> str:
        """Return which listener a request came to; empty where the gateway names none of ours."""
        try:
            return listener_of(self.runtime, request).name
        except UnsupportedGateway:
            return ""

    def _observes(self, request: HttpRequest) -> bool:
        try:
            return listener_of(self.runtime, request).observes
        except UnsupportedGateway:
            return False

    def _parent(self, request: HttpRequest, gateway: str | None) -> str:
        for parent in (gateway, request.headers.get(names.HEADER_TRACEPARENT)):
            if parent is not None and traceparent.trace_id(parent) is not None:
                return parent
        return self.runtime.tracer.start()


def _with_model(request: HttpRequest, model: str, runtime: Runtime) -> bytes:
    document = decode(request.path, request.body, runtime.limits).document
    return document.replace("model", encode(model)).body


async def _finish(
    listener: Listener, exchange: Exchange, conversation: Conversation, decision: Decision
) -> Result:
    """Run the earlier agents of the plan, then route to the last one."""
    try:
        body, final = await listener.steps.run(exchange, conversation, decision)
    except Exception as error:  # noqa: BLE001 - to_reject is the one place that knows them all
        answer: Mutations | Reject = to_reject(error)
    else:
        answer = _mutations(decision, final, None if body is exchange.request.body else body)
    if exchange.steps:
        order = decision.plan.agents.index
        in_order = sorted(exchange.steps, key=lambda record: order(record.agent))
        decision = decision._replace(steps=tuple(in_order))
    result = _result(answer, exchange, decision)
    if not listener.answers or isinstance(answer, Reject):
        return result
    filters = listener.answers.get(decision.agent)
    if filters is None:
        described = describe_unfiltered(decision)
        return result._replace(metadata={**result.metadata, names.METADATA_EXCHANGE: described})
    exchange_id = secrets.token_hex(8)
    described = describe(filters, final, decision, exchange_id)
    metadata = {**result.metadata, names.METADATA_EXCHANGE: described}
    return result._replace(metadata=metadata, exchange=exchange_id)


def _result(
    answer: Mutations | Reject | Unfinished, exchange: Exchange | None, decision: Decision | None
) -> Result:
    if exchange is None:
        return Result(answer)
    filters = tuple(exchange.filters)
    metadata = _of_filters(filters) if filters else NO_METADATA
    if not isinstance(answer, Mutations):
        metadata = {**metadata, names.METADATA_TRACE_ID: exchange.trail.trace_id}
        if decision is not None:
            metadata |= verdict_of(decision, exchange.trail).metadata
    return Result(answer, decision, filters, metadata, "", exchange.captured)


def _of_filters(filters: tuple[FilterRecord, ...]) -> Metadata:
    return {names.METADATA_FILTERS: ",".join(f"{each.filter}={each.label}" for each in filters)}


def _observed(result: Result) -> Result:
    """Return what only is noted: the headers of a decision that nothing follows from."""
    answer = result.answer
    verdict = answer.code if isinstance(answer, Reject) else Outcome.ROUTED.value
    known = answer.verdict.metadata if isinstance(answer, Mutations) and answer.verdict else {}
    metadata = {**result.metadata, **known, names.METADATA_OBSERVED: verdict}
    return result._replace(metadata=metadata, observed=True)


def _trail(request: HttpRequest, parent: str) -> Trail:
    return Trail(parent, passed_loops(request.headers.get(names.HEADER_HOPS)) + 1)


def _mutations(decision: Decision, exchange: Exchange, body: bytes | None) -> Mutations:
    return Mutations(exchange.tags, (), body, True, verdict_of(decision, exchange.trail))  # noqa: FBT003 - by position: each request has one
