"""From one configuration to the next, in all workers and Envoy, or not at all.

file changes, or SIGHUP
  ─> read and checked ─> prepared by all workers ─> in Envoy, beside the old one
  ─> all workers decide by it ─> requests decided before are over ─> the old one is taken away
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from extproc.config.load import ConfigError, Loaded, read_text
from extproc.config.model.root import Config
from extproc.supervisor import control
from extproc.supervisor.child import Status
from extproc.supervisor.control import WorkerFailed
from extproc.supervisor.discovery import Rejected
from extproc.supervisor.gateway import Gateway
from extproc.supervisor.stack import Snapshot, Stack
from extproc.supervisor.watch import Watch

log = logging.getLogger(__name__)

_POLL: Final = 0.2
_UNDERWAY: Final = 1.0
"""Seconds that the last decision by an older configuration may be on its way to Envoy."""

_ONLY_AT_START: Final = ("admin",)
"""Sections that a running stack does not take over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last reload ended: `applied` or `rejected`, and then why."""

    outcome: str
    time: datetime
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class Reloads:
    """What is in force, how it came to be, and how often each outcome was."""

    config: Config
    generation: int = 1
    last: Outcome | None = None
    counts: dict[str, int] = field(default_factory=lambda: {"applied": 0, "rejected": 0})

    def end(self, outcome: str, errors: tuple[str, ...] = ()) -> None:
        """Note how a reload ended."""
        self.counts[outcome] += 1
        self.last = Outcome(outcome, datetime.now(UTC), errors)


class Reloader:
    """Takes over what `load` reads, whenever the file changes or `asked` is set.

    `load` may take a while and raises `ConfigError`; `gateway` is None for `serve`.
    """

    def __init__(
        self,
        stack: Stack,
        load: Callable[[], Loaded],
        reloads: Reloads,
        gateway: Gateway | None,
        asked: asyncio.Event,
    ) -> None:
        self._stack = stack
        self._load = load
        self._reloads = reloads
        self._gateway = gateway
        self._asked = asked
        self._watch = Watch(self._files)

    async def run(self) -> None:
        """Reload until cancelled."""
        if await asyncio.to_thread(self._has_changed):
            self._asked.set()
        while True:
            await self._wanted()
            self._asked.clear()
            self._watch.seen()
            await self.reload()

    async def reload(self) -> None:
        """Read the file and bring it in force, or log why not. Raises nothing."""
        number = self._reloads.generation + 1
        try:
            loaded = await asyncio.to_thread(self._load)
            await self._take_over(loaded, number)
        except ConfigError as error:
            self._reject(tuple(map(str, error.faults)))
        except (ValueError, WorkerFailed, Rejected, OSError) as error:
            self._reject((str(error),))

    async def _take_over(self, loaded: Loaded, number: int) -> None:
        stack, config = self._stack, loaded.config
        while stack.is_leaving:  # noqa: ASYNC110 - processes send no events
            # One of the workers decides by what is in force now for as long as it serves.
            await asyncio.sleep(_POLL)
        path = stack.settings.folder / f"outerloop-{number}.yaml"
        path.write_text(loaded.text, encoding="utf-8")
        snapshot = Snapshot(number, path)
        await control.to_all(self._stack.serving(), lambda each: control.prepare(each, snapshot))
        if self._gateway is not None:
            await self._gateway.admit(config)
        stack.snapshot = snapshot
        for socket in self._stack.serving():
            await self._commit(socket, snapshot)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        for section in _ONLY_AT_START:
            if getattr(config, section) != getattr(self._reloads.config, section):
                log.warning("%s: takes effect when the stack starts again", section)
        self._reloads.config, self._reloads.generation = config, number
        self._reloads.end("applied")
        log.info("generation %d of %s is in force", number, stack.settings.file)

    def _has_changed(self) -> bool:
        """Tell whether the file is another than the one that the workers started with."""
        try:
            file = read_text(Path(self._stack.settings.file))
            return file != read_text(self._stack.snapshot.path)
        except (ConfigError, OSError):
            return True

    def _reject(self, errors: tuple[str, ...]) -> None:
        self._reloads.end("rejected", errors)
        for error in errors:
            log.error("%s", error)
        message = "%s was not taken over: generation %d stays in force"
        log.error(message, self._stack.settings.file, self._reloads.generation)

    async def _wanted(self) -> None:
        """Return when a reload is asked for; tidy up behind the last one meanwhile."""
        waits = [self._asked.wait(), self._watch.changed(), self._settle()]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self) -> None:
        """Take away the old configuration once no request was decided by it."""
        snapshot = self._stack.snapshot
        while not await self._all_decide_by(snapshot):  # noqa: ASYNC110 - workers send no events
            await asyncio.sleep(_POLL)
        await asyncio.sleep(_UNDERWAY)
        for path in self._stack.settings.folder.glob("outerloop-*.yaml"):
            if path != snapshot.path:
                path.unlink()
        if self._gateway is None:
            return
        try:
            await self._gateway.settle()
        except (Rejected, OSError) as error:
            log.warning("what the last configuration had stays with Envoy: %s", error)

    async def _all_decide_by(self, snapshot: Snapshot) -> bool:
        """Tell whether nothing older is in use. A worker that just started may be behind."""
        workers = self._stack.workers
        if self._stack.is_leaving or any(each.status is not Status.READY for each in workers):
            return False
        for socket in self._stack.serving():
            try:
                state = await control.state(socket)
            except WorkerFailed:
                return False
            if state["generation"] != snapshot.generation:
                await self._commit(socket, snapshot, prepare=True)
                return False
            if state["older_streams"]:
                return False
        return True

    async def _commit(self, socket: Path, snapshot: Snapshot, *, prepare: bool = False) -> None:
        """Have a worker decide by `snapshot`; one that died will start with it."""
        try:
            if prepare:
                await control.prepare(socket, snapshot)
            await control.commit(socket, snapshot)
        except WorkerFailed as error:
            log.warning("%s", error)

    def _files(self) -> Iterator[Path]:
        yield Path(self._stack.settings.file)
        for listener in self._reloads.config.listeners:
            if listener.tls is not None:
                files = (listener.tls.certificate, listener.tls.key, listener.tls.client_ca)
                yield from map(Path, filter(None, files))
