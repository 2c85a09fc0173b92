"""`pii`: finds personal data and secrets, and masks, refuses or tags them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from extproc.filters.api import (
    KEEP,
    Change,
    FilterError,
    Form,
    Keep,
    Phase,
    StreamEditor,
    Subject,
    Verdict,
)
from extproc.filters.builtin.options import Refusal
from extproc.filters.builtin.personal.detector import Detector
from extproc.filters.builtin.personal.masking import Masker
from extproc.filters.builtin.personal.phones import regions_with_numbers
from extproc.filters.builtin.personal.spans import Kind
from extproc.filters.builtin.personal.whole import Masked, mask_json, mask_text
from extproc.filters.builtin.reading import judge

TAG: Final = "pii"
_WEIGHT: Final = 8
"""To look into a byte costs as much as to read that many."""

Found = Counter[Kind]

_PLACEHOLDER: Final = re.compile(r"\{[A-Za-z_]*\}")
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f"\\]')


def _mask(value: str) -> str:
    if unknown := sorted(set(_PLACEHOLDER.findall(value)) - {"{type}"}):
        raise ValueError(f"unknown placeholder {unknown[0]}; known is {{type}}")
    if _UNFIT.search(value):
        # It may stand within JSON that is itself a string, such as the arguments of a tool.
        raise ValueError("must be text without control characters, quotes and backslashes")
    return value


def _region(value: str) -> str:
    if value not in regions_with_numbers():
        raise ValueError("must be a region with phone numbers of its own, such as GB")
    return value


Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_region)]


class Pii:
    """Masks, refuses or tags personal data and secrets, also where deltas of a stream cut them.

    A match in a stream has its mask in the first event that has a part of it.
    """

    class Options(Refusal):
        """Options of `pii`."""

        types: tuple[Kind, ...] = Field(tuple(Kind), min_length=1, description="what to look for")
        action: Literal["mask", "deny", "tag"] = Field(
            "mask",
            description="mask what was found, refuse the message, or let it go on with a tag",
        )
        mask: Annotated[str, AfterValidator(_mask)] = Field(
            "[{type}]", max_length=256, description="what is put in its place"
        )
        regions: tuple[Region, ...] = Field(
            (),
            max_length=32,
            description="ISO 3166 regions, such as GB, whose national phone numbers are found too;"
            " default: international numbers (+44 ...) only",
        )

    def __init__(self, options: Options) -> None:
        self._options = options
        self._detector = Detector(options.types, options.regions)

    async def apply(self, subject: Subject, /) -> Verdict:
        """Mask, refuse or tag a whole body, or events that are the whole stream."""
        return await judge(subject, self._judge, weight=_WEIGHT)

    def open_stream(self) -> StreamEditor:
        """Begin a stream, of which events are held back while they may hold part of a match."""
        return _Editor(self._options, self._detector)

    def _judge(self, subject: Subject) -> Verdict:
        if subject.form is Form.EVENTS:
            masker = Masker(self._detector, self._options.mask)
            body, found = masker.feed(subject.body) + masker.close(), masker.counts
        else:
            body, found = self._whole(subject)
        return _verdict(self._options, found, found, None if body == subject.body else body)

    def _whole(self, subject: Subject) -> Masked:
        mask = self._options.mask
        if subject.form is not Form.JSON:
            return mask_text(subject.body, self._detector, mask)
        is_answer = subject.phase is Phase.OUTPUT
        return mask_json(subject.body, self._detector, mask, is_answer=is_answer)


class _Editor:
    """Looks at one stream."""

    def __init__(self, options: Pii.Options, detector: Detector) -> None:
        self._options = options
        self._masker = Masker(detector, options.mask, holds=options.action != "tag")
        self._failed = False

    def feed(self, subject: Subject, /) -> Verdict:
        """Take the next event."""
        before = self._masker.counts.copy()
        with self._noting_failures():
            body = self._masker.feed(subject.body)
        found = self._masker.counts
        return _verdict(
            self._options, found - before, found, None if body == subject.body else body
        )

    def close(self) -> Verdict:
        """Let go what is held; after a failure, which is skipped then, it goes on masked."""
        if self._failed:
            return Change(self._masker.close())
        before = self._masker.counts.copy()
        with self._noting_failures():
            body = self._masker.close()
        found = self._masker.counts
        return _verdict(self._options, found - before, found, body or None)

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except FilterError:
            self._failed = True
            raise


def _verdict(options: Pii.Options, new: Found, all_: Found, changed: bytes | None) -> Verdict:
    """Return what becomes of a body in which something was found, or nothing.

    `all_` is what the message had so far; `changed` is the body to go on, None for the same.
    """
    note = _note(new)
    if new and options.action == "deny":
        return options.deny(f"personal data or secrets: {', '.join(_kinds(new))}", note)
    if options.action == "tag":
        return Keep(tags=((TAG, ",".join(_kinds(all_))),), note=note) if new else KEEP
    return Keep(note=note) if changed is None else Change(changed, note=note)


def _kinds(found: Found) -> list[str]:
    return [kind.value for kind in Kind if found[kind]]


def _note(found: Found) -> str:
    return ", ".join(f"{kind}:{found[Kind(kind)]}" for kind in _kinds(found))
