"""Which topics a conversation is on: by its last turn, or what that turn goes on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from extproc.conversation import Api, Conversation
from extproc.orchestrator.api import AgentInfo, Question
from extproc.orchestrator.embedded import Embedded, TokenTable, Turn
from extproc.orchestrator.embedded.scorer import Scorer

Topics = tuple[str, ...]

_EARLIER_TURNS: Final = 8
"""Turns that are judged, at most, to learn what a turn goes on with."""
_ANOTHER_MATTER: Final = 0.2
"""How much nearer to idle talk than to follow-ups (cosines) a turn is that goes on with nothing.
Of 29 follow-ups over three sets of topics one is beyond it, of 20 requests off topic 13."""
_HISTORY_ELSEWHERE: Final = ("previous_response_id", "conversation")
"""Members of a Responses body whose server keeps the conversation."""


class TopicJudge:
    """Fitted to topics when it is made, one at least.

    A turn that fits a topic is on it, whatever was before. One that fits none may be a follow-up,
    such as `and tomorrow?`: it is on the topic of the turns before, as far as the body shows them.
    """

    def __init__(self, topics: Sequence[AgentInfo]) -> None:
        table = TokenTable.shipped()
        self._embedded = Embedded(topics, max_agents=len(topics))
        self._scorer = Scorer(topics, table, table)

    def topics(self, conversation: Conversation, refuse: Callable[[Topics], bool]) -> Topics | None:
        """Return the topics, none where it is on another matter, None where nothing can be said.

        That is so for words that carry no meaning of their own, such as greetings, and for
        follow-ups on what a server keeps. A turn before that nobody answered counts where
        `refuse` does not hold of its topics: else it was refused, and is not gone on with.
        """
        if conversation.turn is None:
            return ()
        for question, answered in _turns(conversation):
            topics = self._embedded.plan(question).agents
            if topics and (answered or not refuse(topics)):
                return topics
            if answered and not topics and not self._goes_on(self._embedded.read(question)):
                return ()
        idle = _is_idle(self._embedded.read(Question(conversation)))
        return None if idle or _history_is_elsewhere(conversation) else ()

    def _goes_on(self, turn: Turn) -> bool:
        if _is_idle(turn):
            return True
        scored = self._scorer.score(turn.counted)
        return float(scored.off_topic[0] - scored.continuation[0]) < _ANOTHER_MATTER


def _turns(conversation: Conversation) -> Iterator[tuple[Question, bool]]:
    """Yield the question of each turn, the last one first, and whether it was answered.

    The last one counts as answered: it is the agent's now.
    """
    messages, count, answered = conversation.messages, 0, True
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            yield Question(conversation._replace(messages=messages[: index + 1])), answered
            count, answered = count + 1, False
            if count > _EARLIER_TURNS:
                return
        elif messages[index].role == "assistant" and count:
            answered = True


def _is_idle(turn: Turn) -> bool:
    return turn.content_words == 0 and bool(turn.texts[0].strip())


def _history_is_elsewhere(conversation: Conversation) -> bool:
    document = conversation.document
    return conversation.api is Api.RESPONSES and any(
        document.get(name) is not None for name in _HISTORY_ELSEWHERE
    )
