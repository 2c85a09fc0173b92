"""`limits`: how long messages may be, in which languages, and what may be attached to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from extproc.apis.texts import texts
from extproc.conversation import Conversation
from extproc.filters.api import KEEP, Keep, Subject, Verdict
from extproc.filters.builtin.attachments import Kind, attachments
from extproc.filters.builtin.languages import CODES, Languages
from extproc.filters.builtin.options import Refusal
from extproc.filters.builtin.reading import judge, last_said, read

TAG = "limits"


def _language(value: str) -> str:
    if value not in CODES:
        raise ValueError(f"must be one of the ISO 639-1 codes {', '.join(sorted(CODES))}")
    return value


class Limits:
    """Refuses or tags requests beyond limits. Of each request all of them are looked at."""

    phases = frozenset({"input"})

    class Options(Refusal):
        """Options of `limits`: at least one limit."""

        max_chars: int | None = Field(
            None, ge=1, description="characters of the last user message's text"
        )
        max_total_chars: int | None = Field(
            None, ge=1, description="characters of all texts: system, tools and history too"
        )
        languages: tuple[Annotated[str, AfterValidator(_language)], ...] | None = Field(
            None,
            min_length=1,
            description="ISO 639-1 codes of the languages that the last user message may be in;"
            " one that is short, or not surely in another, passes",
        )
        attachments: tuple[Kind, ...] | None = Field(
            None, description="kinds that may be attached, none with []; default: any"
        )
        max_attachments: int | None = Field(
            None, ge=0, description="attachments of the whole conversation"
        )
        action: Literal["deny", "tag"] = Field(
            "deny", description="refuse, or let it go on with a tag that names the limits"
        )

        @model_validator(mode="after")
        def _limits_something(self) -> Self:
            limits = ("max_chars", "max_total_chars", "languages", "attachments", "max_attachments")
            if all(getattr(self, limit) is None for limit in limits):
                raise ValueError(f"must have one of {', '.join(limits)}")
            return self

    def __init__(self, options: Options) -> None:
        self._options = options
        self._languages = Languages(options.languages) if options.languages else None

    async def apply(self, subject: Subject, /) -> Verdict:
        """Refuse or tag a request that is beyond a limit."""
        return await judge(subject, self._judge)

    def _judge(self, subject: Subject) -> Verdict:
        conversation = read(subject)
        broken = dict((*self._of_texts(conversation), *self._of_attachments(conversation)))
        if not broken:
            return KEEP
        names = ",".join(broken)
        if self._options.action == "tag":
            return Keep(tags=((TAG, names),), note=names)
        return self._options.deny("; ".join(broken.values()), names)

    def _of_texts(self, conversation: Conversation) -> Iterator[tuple[str, str]]:
        """Yield the limits of texts that a request is beyond, and what the client is told."""
        options, text = self._options, last_said(conversation)
        if options.max_chars is not None and len(text) > options.max_chars:
            yield "chars", f"the message is longer than {options.max_chars} characters"
        if options.max_total_chars is not None:
            total = sum(len(each.value) for each in texts(conversation.document.body))
            if total > options.max_total_chars:
                most = options.max_total_chars
                yield "total_chars", f"the request has more than {most} characters of text"
        if self._languages is not None and self._languages.exclude(text):
            allowed = ", ".join(options.languages or ())
            yield "languages", f"the message is in a language other than {allowed}"

    def _of_attachments(self, conversation: Conversation) -> Iterator[tuple[str, str]]:
        allowed, most = self._options.attachments, self._options.max_attachments
        if allowed is None and most is None:
            return
        kinds = list(attachments(conversation))
        refused = [] if allowed is None else sorted(set(kinds).difference(allowed))
        if refused:
            yield "attachments", f"attachments of a kind that is not allowed: {', '.join(refused)}"
        if most is not None and len(kinds) > most:
            yield "max_attachments", f"the conversation has more than {most} attachments"
