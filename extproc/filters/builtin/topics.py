"""`topics`: lets requests go on by what they are about."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from extproc.config.model.types import Identifier, Section
from extproc.filters.api import REFUSED, Keep, Subject, Verdict
from extproc.filters.builtin.options import Refusal
from extproc.filters.builtin.reading import judge, read
from extproc.orchestrator.api import AgentInfo

TAG = "topics"
TAG_REFUSED = "off-topic"
UNKNOWN = "unknown"

_DENIED = "this topic is not answered here"
_NOT_ALLOWED = "this is none of the topics that are answered here"


class Topic(Section):
    """One topic."""

    id: Identifier = Field(description="its name in lists, tags and notes")
    description: str = Field(min_length=1, description="what it covers")
    examples: tuple[str, ...] = Field((), description="requests on it")


class Topics:
    """Refuses or tags requests by topic, scored in the process as agents are.

    Follow-ups are on the topic of the conversation before; that is the client's word for it.
    """

    phases = frozenset({"input"})

    class Options(Section):  # `deny` is a list here: a refusal's fields, but none itself
        """Options of `topics`."""

        topics: tuple[Topic, ...] = Field(
            min_length=1, description="topics that are told apart; some need not be in a list"
        )
        allow: tuple[Identifier, ...] = Field((), description="topics that pass, and no others")
        deny: tuple[Identifier, ...] = Field((), description="topics that are refused")
        unknown: Literal["allow", "deny"] | None = Field(
            None,
            description="what becomes of a request on none of the topics; default: deny with"
            " `allow`, allow with `deny`",
        )
        action: Literal["deny", "tag"] = Field(
            "deny",
            description="refuse, or let it go on with the tag off-topic: the topics that would be"
            " refused, or unknown",
        )
        status: int = Field(REFUSED, ge=400, le=499, description="status of a refusal")
        message: str | None = Field(
            None, min_length=1, max_length=2048, description="what the client is told"
        )

        @model_validator(mode="after")
        def _lists_are_of_topics(self) -> Self:
            ids = [topic.id for topic in self.topics]
            if len(set(ids)) < len(ids):
                raise ValueError("topics must have ids that differ")
            if bool(self.allow) == bool(self.deny):
                raise ValueError("must have either allow or deny")
            if not set(self.allow + self.deny).issubset(ids):
                raise ValueError("allow and deny must name ids of topics")
            return self

    def __init__(self, options: Options) -> None:
        # Not above: it brings numpy, and a file is checked without.
        from extproc.filters.builtin.topic_judge import TopicJudge

        self._options = options
        self._refusal = Refusal(status=options.status, message=options.message)
        self._unknown = options.unknown or ("deny" if options.allow else "allow")
        self._judge = TopicJudge(
            [AgentInfo(each.id, each.description, each.examples) for each in options.topics]
        )

    async def apply(self, subject: Subject, /) -> Verdict:
        """Refuse the request or tag it with its topics."""
        return await judge(subject, self._verdict)

    def _verdict(self, subject: Subject) -> Verdict:
        topics = self._judge.topics(read(subject), lambda topics: bool(self._refused(topics)))
        refused = () if topics is None else self._refused(topics)
        note = ", ".join(topics or ())
        tags = ((TAG, ",".join(topics)),) if topics else ()
        if not refused:
            return Keep(tags=tags, note=note)
        if self._options.action == "tag":
            return Keep(tags=(*tags, (TAG_REFUSED, ",".join(refused))), note=note or UNKNOWN)
        message = _NOT_ALLOWED if self._options.allow or not topics else _DENIED
        return self._refusal.deny(message, note or UNKNOWN)

    def _refused(self, topics: tuple[str, ...]) -> tuple[str, ...]:
        """Return those topics that are refused, `unknown` for none of them."""
        if not topics:
            return (UNKNOWN,) if self._unknown == "deny" else ()
        if self._options.allow:
            return tuple(topic for topic in topics if topic not in self._options.allow)
        return tuple(topic for topic in topics if topic in self._options.deny)
