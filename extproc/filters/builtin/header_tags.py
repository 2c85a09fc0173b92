"""`header_tags`: tags by what a request says, for rules and agents."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from extproc.config.model.types import Section
from extproc.conversation import Api
from extproc.filters.api import Keep, Subject, Verdict
from extproc.filters.builtin.reading import judge, last_said, read

_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
_SEARCHED: Final = 10_000
"""Characters of a message that are searched. A pattern that repeats a repeat may take for ever in
far fewer: whoever writes the file is trusted with that."""


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 64 of a-z, 0-9 and `-`")
    return value


def _value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError("must be 1 to 256 printable ASCII characters, without blanks around them")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        where = "" if error.pos is None else f"; it is wrong at character {error.pos + 1}"
        raise ValueError(f"must be a regular expression of Python{where}") from None
    except (OverflowError, RecursionError):
        raise ValueError("must be a regular expression of Python; it is too large") from None
    return value


class When(Section):
    """What a request must be like: all that is written."""

    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None,
        max_length=1000,
        description="regular expression found in the last user message's first 10,000 characters;"
        " (?i) at its start ignores case",
    )
    path: Api | None = Field(None, description="path of the API")
    model: str | None = Field(None, min_length=1, description="`model` of the body")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.pattern is None and self.path is None and self.model is None:
            raise ValueError("must have one of pattern, path, model")
        return self


class HeaderTag(Section):
    """One tag."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="it becomes the header x-outerloop-tag-<name>"
    )
    value: Annotated[str, AfterValidator(_value)] = Field(description="value of the header")
    when: When | None = Field(None, description="default: always")


class HeaderTags:
    """Tags requests; where several set the same tag, the last one counts."""

    phases = frozenset({"input"})

    class Options(Section):
        """Options of `header_tags`."""

        tags: tuple[HeaderTag, ...] = Field(min_length=1, description="in the order they are set")

    def __init__(self, options: Options) -> None:
        self._tags = options.tags
        whens = [tag.when for tag in options.tags if tag.when is not None]
        self._reads = any(when.pattern or when.model for when in whens)

    async def apply(self, subject: Subject, /) -> Verdict:
        """Tag the request with every entry that matches."""
        if self._reads:
            return await judge(subject, self._by_body)
        return self._keep(subject.api, None, "")

    def _by_body(self, subject: Subject) -> Verdict:
        conversation = read(subject)
        return self._keep(subject.api, conversation.model, last_said(conversation)[:_SEARCHED])

    def _keep(self, api: Api, model: str | None, text: str) -> Keep:
        tags = {
            each.name: each.value for each in self._tags if _matches(each.when, api, model, text)
        }
        return Keep(tags=tuple(tags.items()), note=", ".join(tags))


def _matches(when: When | None, api: Api, model: str | None, text: str) -> bool:
    if when is None:
        return True
    return (
        when.path in {None, api}
        and when.model in {None, model}
        and (when.pattern is None or re.search(when.pattern, text) is not None)
    )
