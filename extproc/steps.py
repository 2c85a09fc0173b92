"""Runs the agents of a plan before the last one, and tells the last one what they said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from extproc.apis.answers import UnreadableAnswer
from extproc.apis.api import insert_answers, read_answer, step_body
from extproc.apis.edits import AgentAnswer, encode
from extproc.calls import Call, Caller, CallFailed, Response, Target
from extproc.config.model.root import Limits
from extproc.conversation import Api, Conversation
from extproc.errors import OuterloopError, RequestTooLarge, StepFailed
from extproc.exchange import Exchange
from extproc.filters.answer import filter_whole
from extproc.filters.api import Phase
from extproc.filters.bodies import conversation_reader
from extproc.filters.chain import Chain
from extproc.forwarding import forwarded
from extproc.http import Headers
from extproc.json_document import JsonObject
from extproc.off_loop import off_loop
from extproc.plan import STEP_GRACE, Decision, StepOutcome, StepRecord, longest_steps
from extproc.spans import Attributes, Span, Tracer
from extproc.verdict import step_headers


@dataclass(frozen=True, slots=True)
class StepAgent:
    """An agent as the processor calls it; `timeout` in seconds covers the whole exchange.

    `input` are the filters of what it is sent, `output` those of its answer. `model` takes the
    place of the body's.
    """

    target: Target
    timeout: float
    input: Chain
    output: Chain
    model: str | None = None

    def addressed(self, document: JsonObject) -> JsonObject:
        """Return a body as the agent is to get it."""
        return document if self.model is None else document.replace("model", encode(self.model))


@dataclass(frozen=True, slots=True)
class StepRunner:
    """How one listener runs the agents of a plan, up to the last one.

    `max_bytes` bounds what is read of an answer, `limits` the conversation with the answers in it.
    """

    agents: Mapping[str, StepAgent]
    caller: Caller
    parallel: bool
    skip_failed: bool
    insert: Literal["assistant", "system"]
    max_bytes: int
    limits: Limits
    tracer: Tracer

    def longest(self, agents: Sequence[str]) -> float:
        """Return how long Envoy waits for these agents together, in seconds."""
        return longest_steps([self.agents[each].timeout for each in agents], parallel=self.parallel)

    async def run(
        self, exchange: Exchange, conversation: Conversation, decision: Decision
    ) -> tuple[bytes, Exchange]:
        """Return the body for the last agent, what its filters made of it, and what they said.

        Raises `StepFailed` for the first agent that fails, unless failed agents are skipped, and
        what filters raise.
        """
        earlier = len(decision.plan.agents) - 1
        last = self.agents[decision.agent]
        if earlier or last.input.links:
            run = _Run(self, exchange, decision)
            if self.parallel:
                conversation = await run.at_once(conversation)
            else:
                conversation = await run.one_by_one(conversation)
            conversation, exchange = await run.filtered(earlier, conversation, exchange)
        body = last.addressed(conversation.document).body
        if len(body) > self.limits.max_request_bytes:
            raise RequestTooLarge("the request body is too large with the agent's model in it")
        return body, exchange


@dataclass(frozen=True, slots=True)
class _Run:
    runner: StepRunner
    exchange: Exchange
    decision: Decision

    async def one_by_one(self, conversation: Conversation) -> Conversation:
        for index in range(len(self._earlier)):
            conversation, exchange = await self.filtered(index, conversation, self.exchange)
            answer = await self._step(index, conversation, exchange)
            conversation = self._insert(conversation, answer)
        return conversation

    async def at_once(self, conversation: Conversation) -> Conversation:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._beside(index, conversation))
                    for index in range(len(self._earlier))
                ]
        except* (OuterloopError, TimeoutError) as failed:
            first = failed.exceptions[0]
            raise first from None
        for task in tasks:
            conversation = self._insert(conversation, task.result())
        return conversation

    async def filtered(
        self, index: int, conversation: Conversation, exchange: Exchange
    ) -> tuple[Conversation, Exchange]:
        """Put the conversation through the filters of the agent at `index` of the plan."""
        chain = self.runner.agents[self.decision.plan.agents[index]].input
        if not chain.links:
            return conversation, exchange
        setting = exchange.setting(step_headers(self.decision, index))
        with exchange.budget:
            outcome = await chain.run(
                conversation.document.body,
                setting,
                conversation_reader(conversation.api, self.runner.limits),
            )
        return outcome.changed or conversation, exchange.tagged(outcome.tags)

    async def _beside(self, index: int, conversation: Conversation) -> AgentAnswer | None:
        """Call an agent while others are called: edits of its filters are for it alone."""
        own = self.exchange.forked()
        try:
            conversation, exchange = await self.filtered(index, conversation, own)
            return await self._step(index, conversation, exchange)
        finally:
            self.exchange.budget.shrink(own.budget.left)

    @property
    def _earlier(self) -> Sequence[str]:
        return self.decision.plan.agents[:-1]

    def _insert(self, conversation: Conversation, answer: AgentAnswer | None) -> Conversation:
        """Put an answer in; one that Envoy could not send on has failed its agent."""
        if answer is None:
            return conversation
        longer = insert_answers(conversation, [answer], self.runner.insert)
        if len(longer.document.body) <= self.runner.limits.max_request_bytes:
            return longer
        if self.runner.skip_failed:
            return conversation
        raise StepFailed(answer.agent)

    async def _step(
        self, index: int, conversation: Conversation, exchange: Exchange
    ) -> AgentAnswer | None:
        """Return what the agent said, or None where it failed and is skipped."""
        agent = self._earlier[index]
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": agent,
            "gen_ai.agent.name": agent,
            "outerloop.step": f"{index + 1}/{len(self.decision.plan.agents)}",
        }
        parent = exchange.trail.traceparent
        name = f"invoke_agent {agent}"
        with self.runner.tracer.span(name, parent, attributes, "client") as span:
            started = time.perf_counter()
            call = self._call(index, conversation, exchange, span)
            status, answer = await self._ask(index, exchange, call)
            outcome = StepOutcome.FAILED if answer is None else StepOutcome.OK
            elapsed = (time.perf_counter() - started) * 1000
            exchange.steps.append(StepRecord(agent, outcome, status, elapsed))
            if status is not None:
                span.set({"http.response.status_code": status})
            if answer is None:
                span.fail("the agent failed")
        if answer is None and not self.runner.skip_failed:
            raise StepFailed(agent, status)
        return answer

    async def _ask(
        self, index: int, exchange: Exchange, call: Call
    ) -> tuple[int | None, AgentAnswer | None]:
        """Return the status, where one came, and what the agent said, where that can be read."""
        agent = self._earlier[index]
        try:
            response = await self.runner.caller(call)
        except CallFailed:
            return None, None
        if not 200 <= response.status < 300:  # noqa: PLR2004 - the class of success (RFC 9110, section 15)
            return response.status, None
        body = await self._filtered_answer(index, exchange, response)
        try:
            text = await off_loop(len(body), read_answer, Api(self.exchange.request.path), body)
        except UnreadableAnswer:
            return response.status, None
        return response.status, AgentAnswer(agent, text)

    async def _filtered_answer(self, index: int, exchange: Exchange, response: Response) -> bytes:
        """Put an answer through the filters of its agent."""
        chain = self.runner.agents[self._earlier[index]].output
        if not chain.links:
            return response.body
        setting = exchange.setting(step_headers(self.decision, index), Phase.OUTPUT)
        setting = replace(setting, status=response.status)
        # What encoding it had has been undone.
        headers = Headers(tuple(each for each in response.headers if each[0] != "content-encoding"))
        with exchange.budget:
            return await filter_whole(chain, setting, headers, response.body, self.runner.max_bytes)

    def _call(self, index: int, conversation: Conversation, exchange: Exchange, span: Span) -> Call:
        agent = self.runner.agents[self._earlier[index]]
        return Call(
            target=agent.target,
            path=agent.target.origin.path_prefix + exchange.request.target,
            body=agent.addressed(step_body(conversation)).body,
            timeout=agent.timeout + STEP_GRACE,
            max_bytes=self.runner.max_bytes,
            headers=(
                *forwarded(exchange.request.headers),
                *exchange.trail.headers(span.traceparent),
                *step_headers(self.decision, index),
                *exchange.tags,
            ),
        )
