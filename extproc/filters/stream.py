"""A chain at work on a stream of events, one after the other as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack
from typing import Final, Self

from extproc.apis.answers import DONE
from extproc.apis.sse import Event
from extproc.filters.api import KEEP, Change, Form, StreamEditor, StreamFilter, Subject, Verdict
from extproc.filters.bodies import read_events
from extproc.filters.chain import Ask, Chain, Setting, Visit

_ALIVE: Final = Event(b":\n\n")
"""Stands for what only keeps a connection alive: a comment, whose text nobody would look at."""


class StreamRun:
    """One stream through a chain. Must be entered; leaving it records what each filter did.

    `feed` and `close` raise `FilterDenied` and `FilterFailed`; nothing more may come then.
    """

    def __init__(self, chain: Chain, setting: Setting) -> None:
        self._exits = ExitStack()
        self._stages = [
            _Stage(self._exits.enter_context(Visit(link, setting, chain.tracer)))
            for link in chain.links
        ]
        self._done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._exits.close()

    async def feed(self, events: Iterable[Event]) -> AsyncIterator[bytes]:
        """Take the next events; yield those that may go on now, as bytes."""
        for event in events:
            if self._done:
                return
            if event.data is not None and event.data.strip() == DONE.body:
                async for piece in self.close():
                    yield piece
                yield event.raw
            elif _is_comment(event):
                yield _ALIVE.raw
            else:
                yield await self._through((event,))

    async def close(self) -> AsyncIterator[bytes]:
        """Yield what is left at the stream's end; what comes after it is dropped."""
        if self._done:
            return
        self._done = True
        for number, stage in enumerate(self._stages):
            yield await self._through(await stage.close(), number + 1)

    def fail(self, reason: str) -> None:
        """Take note that no filter can be asked any more. Raises `FilterFailed` unless skipped."""
        for stage in self._stages:
            stage.visit.fail(reason)

    async def _through(self, events: Sequence[Event], first: int = 0) -> bytes:
        for stage in self._stages[first:]:
            events = [each for event in events for each in await stage.feed(event)]
        return b"".join(event.raw for event in events)


class _Stage:
    """One filter of the chain, and what it holds back."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self._whole: list[bytes] = []
        self._editor: StreamEditor | None = None
        chosen = visit.link.filter
        if isinstance(chosen, StreamFilter) and not visit.link.whole:
            self._editor = chosen.open_stream()

    async def feed(self, event: Event) -> Sequence[Event]:
        if self.visit.link.whole:
            self._whole.append(event.raw)
            return ()
        if self._editor is None:
            changed = await self._ask(event.raw, None)
            return (event,) if changed is None else changed
        return await self._edit(event, self._editor)

    async def close(self) -> Sequence[Event]:
        if self._editor is not None:
            return await self._ask(b"", self._rest(self._editor)) or ()
        if not self._whole:
            return ()
        body = b"".join(self._whole)
        changed = await self._ask(body, None)
        return (Event(body),) if changed is None else changed

    async def _edit(self, event: Event, editor: StreamEditor) -> Sequence[Event]:
        failed = True

        async def feed(subject: Subject) -> Verdict:
            nonlocal failed
            verdict = editor.feed(subject)
            failed = False
            return verdict

        changed = await self._ask(event.raw, feed)
        if failed:
            # Its failures are skipped: what it holds goes first, and it is not asked again.
            self._editor = None
            return (*read_events(editor.close()), event)
        return (event,) if changed is None else changed

    async def _ask(self, body: bytes, apply: Ask | None) -> Sequence[Event] | None:
        """Return the events that the filter gives, None where it leaves the body alone."""
        verdict, events = await self.visit.ask(body, Form.EVENTS, read_events, apply=apply)
        return events if isinstance(verdict, Change) else None

    @staticmethod
    def _rest(editor: StreamEditor) -> Ask:
        async def close(_subject: Subject) -> Verdict:
            rest = editor.close()
            return Change(rest) if rest else KEEP

        return close


def _is_comment(event: Event) -> bool:
    return event.data is None and all(
        line.startswith(b":") for line in event.raw.splitlines() if line
    )
