"""A chain at work on a stream of events, one after the other as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack
from typing import Final, Self

from extproc.apis.answers import DONE
from extproc.apis.sse import Event
from extproc.filters.api import Change, Form, StreamEditor, StreamFilter, Subject, Verdict
from extproc.filters.bodies import read_events
from extproc.filters.chain import Ask, Chain, Setting, Visit
from extproc.off_loop import LARGE

_LARGE: Final = LARGE // 8
"""Bytes of an event: to look into it costs more than to read it."""
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
            return await self._end(self._editor)
        if not self._whole:
            return ()
        body = b"".join(self._whole)
        changed = await self._ask(body, None)
        return (Event(body),) if changed is None else changed

    async def _edit(self, event: Event, editor: StreamEditor) -> Sequence[Event]:
        work: asyncio.Future[Verdict] | None = None
        failed = True

        async def feed(subject: Subject) -> Verdict:
            nonlocal failed, work
            if len(event.raw) > _LARGE:
                # As the event loop is everybody's.
                work = asyncio.ensure_future(asyncio.to_thread(editor.feed, subject))
                verdict = await asyncio.shield(work)
            else:
                verdict = editor.feed(subject)
            failed = False
            return verdict

        changed = await self._ask(event.raw, feed)
        if failed:
            # Its failures are skipped: what it holds goes first, and it is not asked again. A
            # thread that was too slow may still be at it.
            if work is not None:
                await asyncio.wait((work,))
            self._editor = None
            return (*_left(editor), event)
        return (event,) if changed is None else changed

    async def _end(self, editor: StreamEditor) -> Sequence[Event]:
        failed = True

        async def close(_subject: Subject) -> Verdict:
            nonlocal failed
            verdict = editor.close()
            failed = False
            return verdict

        changed = await self._ask(b"", close)
        return _left(editor) if failed else changed or ()

    async def _ask(self, body: bytes, apply: Ask | None) -> Sequence[Event] | None:
        """Return the events that the filter gives, None where it leaves the body alone."""
        verdict, events = await self.visit.ask(body, Form.EVENTS, read_events, apply=apply)
        return events if isinstance(verdict, Change) else None


def _left(editor: StreamEditor) -> Sequence[Event]:
    """Return what an editor that has failed had held back."""
    verdict = editor.close()
    return read_events(verdict.body) if isinstance(verdict, Change) else ()


def _is_comment(event: Event) -> bool:
    return event.data is None and all(
        line.startswith(b":") for line in event.raw.splitlines() if line
    )
