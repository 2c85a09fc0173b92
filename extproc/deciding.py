"""The decision for one conversation: rules, the client's own choice, then the strategy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from extproc.availability import Availability
from extproc.conversation import Conversation
from extproc.errors import NoAgentFits, OrchestratorFailed
from extproc.http import HttpRequest
from extproc.memory import Key, Memory, digest, message_parts
from extproc.orchestrator.api import Orchestrator, Question
from extproc.orchestrator.history import Messages, author, previous_agent
from extproc.plan import Plan, Source
from extproc.rules import Rule, first_match

log = logging.getLogger(__name__)

_WINDOW: Final = 16
"""Messages of user and assistant that a decision may depend on."""
_EXPLICIT: Final = 4096
"""Plans kept: as many as there are agents."""

_OFFERS: Final = 256
"""Digests kept: as many as there are listeners, by which of their agents are down."""

_SPOKEN: Final = frozenset({"user", "assistant"})


@dataclass(frozen=True, slots=True)
class Session:
    """What is remembered of a session: the plan of its last turn, and the last agent that fitted.

    The two differ where no agent fitted the last turn, such as thanks: the default agent got it,
    but what comes next is about what was before.
    """

    plan: Plan
    agent: str | None


@dataclass(frozen=True, slots=True)
class Decider:
    """How one listener decides. `agents` are in the order of the file.

    `local` decides earlier turns again where the strategy needs the agent of the turn before and
    nobody remembers it; None where the strategy reads the conversation itself. `decisions` and
    `sessions` are what is remembered. With `availability` no strategy chooses an agent that is
    down, unless all are.
    """

    agents: tuple[str, ...]
    default: str
    strategy: Orchestrator
    local: Orchestrator | None
    rules: tuple[Rule, ...]
    session_header: str | None
    decisions: Memory[Plan]
    sessions: Memory[Session]
    reject_none: bool
    reject_error: bool
    availability: Availability | None = None

    async def decide(self, request: HttpRequest, conversation: Conversation) -> tuple[Plan, bool]:
        """Return the plan, and whether it was remembered. Raises `OuterloopError`."""
        key = self._session_key(request)
        session = self.sessions.get(key) if key is not None else None
        rule = first_match(self.rules, request)
        allowed = self.agents if rule is None else rule.allow
        plan, cached = self._known(rule, allowed, session, conversation), False
        if plan is None:
            plan, cached = await self._ask(conversation, self._available(allowed), session)
        if conversation.is_continuation:
            plan = replace(plan, agents=plan.agents[-1:])
        if key is not None:
            self.sessions.put(key, _remembered(plan, session))
        return plan, cached

    def _known(
        self,
        rule: Rule | None,
        allowed: tuple[str, ...],
        session: Session | None,
        conversation: Conversation,
    ) -> Plan | None:
        """Return the plan that is so whatever the conversation is about, if there is one."""
        if rule is not None and rule.agents:
            return Plan(rule.agents, Source.RULE, reason=f"{self._nth(rule)} names it")
        if conversation.model in allowed:
            return _explicit(conversation.model)
        if len(allowed) == 1:
            why = "there is no other" if rule is None else f"{self._nth(rule)} allows no other"
            return Plan(allowed, Source.SINGLE, reason=why)
        if conversation.is_continuation:
            return _of_this_turn(conversation, allowed, session)
        return None

    def _nth(self, rule: Rule) -> str:
        return f"rule {self.rules.index(rule) + 1}"

    def _available(self, agents: tuple[str, ...]) -> tuple[str, ...]:
        return agents if self.availability is None else self.availability.of(agents)

    def _session_key(self, request: HttpRequest) -> Key | None:
        value = request.headers.get(self.session_header) if self.session_header else None
        return digest((value,)) if value else None

    async def _ask(
        self, conversation: Conversation, allowed: tuple[str, ...], session: Session | None
    ) -> tuple[Plan, bool]:
        """Ask the strategy about the turn, unless the same was decided before."""
        turn = conversation.turn
        if turn is None:
            nothing = Plan((), Source.DEFAULT, confidence=0.0, reason="no user speaks")
            return self._settle(nothing, allowed), False
        messages = conversation.messages[: turn + 1]
        previous = session.agent if session is not None else None
        key = _key(messages, allowed, previous)
        plan = self.decisions.get(key)
        cached = plan is not None
        if plan is None:
            if previous is None:
                previous = await self._previous(conversation, messages, allowed)
            try:
                plan = await self.strategy.decide(
                    self._question(conversation, messages, allowed, previous)
                )
            except OrchestratorFailed as error:
                if self.reject_error:
                    raise
                return self._fallback(error, allowed), False
            if plan.lasting:
                self.decisions.put(key, plan.abridged())
        return self._settle(plan, allowed), cached

    async def _previous(
        self, conversation: Conversation, messages: Messages, allowed: tuple[str, ...]
    ) -> str | None:
        return await previous_agent(
            messages,
            allowed,
            remembered=lambda earlier: self.decisions.get(_key(earlier, allowed, None)),
            local=self.local,
            question=lambda earlier, agent: self._question(conversation, earlier, allowed, agent),
        )

    def _question(
        self,
        conversation: Conversation,
        messages: Messages,
        allowed: tuple[str, ...],
        previous: str | None,
    ) -> Question:
        return Question(
            conversation._replace(messages=messages),
            allowed=None if allowed == self.agents else frozenset(allowed),
            previous=previous,
        )

    def _settle(self, plan: Plan, allowed: tuple[str, ...]) -> Plan:
        if plan.agents:
            return plan
        if self.reject_none:
            raise NoAgentFits("no agent fits this conversation")
        settled = replace(plan, agents=(self._default(allowed),), source=Source.DEFAULT)
        return settled.because("no agent fits: the default one gets it")

    def _fallback(self, error: OrchestratorFailed, allowed: tuple[str, ...]) -> Plan:
        agent = self._default(allowed)
        log.info("%s: %s gets the request", error.message, agent)
        reason = f"{error.message}: the default agent gets it"
        return Plan((agent,), Source.FALLBACK, confidence=0.0, reason=reason)

    def _default(self, allowed: tuple[str, ...]) -> str:
        return self.default if self.default in allowed else allowed[0]


@lru_cache(_EXPLICIT)
def _explicit(agent: str) -> Plan:
    return Plan((agent,), Source.EXPLICIT, reason="`model` names the agent")


def _remembered(plan: Plan, before: Session | None) -> Session:
    plan = plan.abridged()
    fitted = plan.source not in {Source.DEFAULT, Source.FALLBACK}
    if fitted or before is None:
        return Session(plan, plan.agents[-1] if fitted else None)
    return Session(plan, before.agent)


def _of_this_turn(
    conversation: Conversation, allowed: Sequence[str], session: Session | None
) -> Plan | None:
    """Return the plan of a continuation where it is known who asked for the tools."""
    if session is not None and session.plan.agents[-1] in allowed:
        return replace(session.plan, reason="tool results go to the session's last agent")
    turn = conversation.turn
    agent = author(conversation.messages[0 if turn is None else turn :], allowed)
    if agent is None:
        return None
    return Plan((agent,), Source.EXPLICIT, reason="tool results go to the agent named before")


def _key(messages: Messages, allowed: Sequence[str], previous: str | None) -> Key:
    # As strategies read them: messages without text, such as tool calls, do not count.
    spoken = [each for each in messages if each.role in _SPOKEN and each.text.strip()][-_WINDOW:]
    # The agent of the turn before may be known by the name of one that only called a tool.
    authors = [each.name for each in messages if each.role == "assistant" and each.name]
    return digest(
        (*message_parts(spoken), "", *authors, "", _digest_of(tuple(allowed)), previous or "")
    )


@lru_cache(_OFFERS)
def _digest_of(agents: tuple[str, ...]) -> str:
    return digest(agents).hex()
