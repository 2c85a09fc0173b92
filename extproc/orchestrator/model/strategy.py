"""The model strategy: a chat model reads the conversation and names the agents."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from extproc.calls import Caller, Target
from extproc.config.model.orchestrator import ModelServer
from extproc.config.prompt_template import read_template
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.model.answer import parse_answer
from extproc.orchestrator.model.prompt import DEFAULT_PROMPT, Prompt
from extproc.orchestrator.model.request import build_request
from extproc.orchestrator.model.server import ChatServer
from extproc.orchestrator.window import window
from extproc.plan import Plan, Source

CONFIDENCE: Final = 0.9
"""Of every answer that can be read: models do not say how sure they are."""


class ModelStrategy:
    """Asks an OpenAI-compatible server, which is sent the agents and the conversation's window.

    Raises ValueError where the prompt file cannot be used. `max_bytes` is the most that is read of
    an answer.
    """

    def __init__(  # noqa: PLR0913 - by name; they come from one place
        self,
        agents: Sequence[AgentInfo],
        config: ModelServer,
        target: Target,
        caller: Caller,
        *,
        max_agents: int,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agents = tuple(agents)
        self._model = config.name
        self._prompt = _prompt(config.prompt_file)
        self._max_agents = max_agents
        self._server = ChatServer(config, target, caller, max_bytes=max_bytes, clock=clock)

    async def decide(self, question: Question) -> Plan:
        """Return a plan of allowed agents, empty when none fits.

        One allowed agent is chosen without asking; so is none where there is no text to decide by.
        Raises `OrchestratorFailed`.
        """
        agents = [
            agent
            for agent in self._agents
            if question.allowed is None or agent.id in question.allowed
        ]
        if len(agents) == 1:
            return Plan((agents[0].id,), Source.SINGLE)
        if not agents or not window(question.conversation):
            return Plan((), Source.MODEL, confidence=0.0)
        body = await self._server.ask(
            lambda without: build_request(
                question.conversation,
                agents,
                model=self._model,
                prompt=self._prompt,
                without=without,
            )
        )
        chosen = parse_answer(body, [agent.id for agent in agents])
        return Plan(chosen[: self._max_agents], Source.MODEL, CONFIDENCE)


def _prompt(file: str | None) -> Prompt:
    return Prompt(read_template(file)) if file is not None else DEFAULT_PROMPT
