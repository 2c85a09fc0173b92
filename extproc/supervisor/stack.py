"""Workers and, for `up`, Envoy: started together, kept running, drained together."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.address import Address
from extproc.certificates import ServerTls
from extproc.supervisor import environment, metrics
from extproc.supervisor.child import Child, Command, Status
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.errors import StartError

log = logging.getLogger(__name__)

_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 5.0
_POLL: Final = 0.1
_HEALTH_INTERVAL: Final = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How workers run: on which addresses, and where their own calls go out.

    `bind` has the addresses of each worker: one, or two that its processes use in turn. `folder` is
    private to this run: control sockets and metrics lie in it. `egress` is the listener that calls
    go through; None: straight to their targets. `notice` is how long a worker serves on after it
    reports that it stops; times are seconds. `tls` is None where callers need none.
    """

    folder: Path
    file: str
    bind: tuple[tuple[Address, ...], ...]
    egress: Address | None
    notice: float
    drain_time: float
    log_level: str
    tls: ServerTls | None = None

    @property
    def metrics(self) -> Path:
        """Folder of the workers' metrics."""
        return self.folder / "metrics"

    @property
    def controls(self) -> tuple[Path, ...]:
        """The workers' control sockets, in order."""
        return tuple(self.folder / f"control-{index}.sock" for index in range(len(self.bind)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the configuration: workers must not read a file that changes, each its own."""

    generation: int
    path: Path


def worker_command(
    settings: WorkerSettings, snapshot: Snapshot, index: int, turn: int = 0
) -> Sequence[str]:
    """Return the command line of one worker, the `turn`th in its place."""
    addresses = settings.bind[index]
    return (
        sys.executable,
        *("-m", "extproc.worker"),
        *("--snapshot", str(snapshot.path)),
        *("--generation", str(snapshot.generation)),
        *("--file", settings.file),
        *("--bind", str(addresses[turn % len(addresses)])),
        *("--control", str(settings.controls[index])),
        *(("--egress", str(settings.egress)) if settings.egress is not None else ()),
        *("--notice", str(settings.notice)),
        *("--drain-time", str(settings.drain_time)),
        *("--log-level", settings.log_level),
        *(_tls_options(settings.tls) if settings.tls is not None else ()),
    )


def _tls_options(tls: ServerTls) -> Iterator[str]:
    # Each in one word: a name may begin as an option does.
    yield f"--tls-certificate={tls.certificate}"
    yield f"--tls-key={tls.key}"
    if tls.client_ca is not None:
        yield f"--tls-client-ca={tls.client_ca}"
    for name in tls.client_sans:
        yield f"--tls-client-san={name}"


class Stack:
    """The processes of one `up` or `serve`. `envoy` and `admin` are None for `serve`."""

    def __init__(
        self,
        settings: WorkerSettings,
        snapshot: Snapshot,
        envoy: Child | None = None,
        admin: EnvoyAdmin | None = None,
    ) -> None:
        self.settings = settings
        self.snapshot = snapshot
        """What workers that start from now on read."""
        self.admin = admin
        self.draining = False
        """True once the stack was told to stop."""
        self.envoy = envoy
        self.workers = tuple(self._worker(index) for index in range(len(settings.bind)))
        settings.metrics.mkdir(exist_ok=True)

    def _worker(self, index: int) -> Child:
        settings = self.settings
        command = Command(
            name=f"worker {index}",
            argv=lambda turn: worker_command(settings, self.snapshot, index, turn),
            control=True,
            # Where Envoy is gone before, nobody has to notice that a worker stops.
            by_signal=self.envoy is None,
            overlapping=len(settings.bind[index]) > 1,
            environ=environment.of_workers(settings.metrics),
        )
        return Child(command, on_death=lambda pid: metrics.forget(settings.metrics, pid))

    @property
    def ready(self) -> bool:
        """True while Envoy, where there is one, and at least one worker serve."""
        envoy = self.envoy is None or self.envoy.status is Status.READY
        return envoy and any(worker.status is Status.READY for worker in self.workers)

    @property
    def is_leaving(self) -> bool:
        """True while one of the workers that others told to stop has not ended."""
        return any(worker.is_leaving for worker in self.workers)

    def serving(self) -> Iterator[Path]:
        """Yield the control sockets of the workers that serve."""
        for worker, socket in zip(self.workers, self.settings.controls, strict=True):
            if worker.status is Status.READY:
                yield socket

    async def run(self, stop: asyncio.Event, when_ready: Callable[[], Awaitable[None]]) -> None:
        """Start, await `when_ready` when all serve, drain after `stop`.

        What `when_ready` still does then is cancelled. Raises `StartError`, and what it raises.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.run(), name=child.name)
                await self._wait_ready(stop)
                watch = group.create_task(self._watch_envoy(), name="watch envoy")
                if not stop.is_set():
                    await _first(stop.wait(), when_ready())
                await stop.wait()
                watch.cancel()
                await self._drain()
        except ExceptionGroup as errors:
            # The first one ended the stack, and is what its caller knows.
            raise errors.exceptions[0] from errors

    @property
    def _children(self) -> tuple[Child, ...]:
        return self.workers if self.envoy is None else (self.envoy, *self.workers)

    async def _wait_ready(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await _first(stop.wait(), self._all_ready())
        except TimeoutError as error:
            waiting = [child.name for child in self._children if child.status is not Status.READY]
            raise StartError(f"not ready in time: {', '.join(waiting)}") from error

    async def _all_ready(self) -> None:
        for worker in self.workers:
            await worker.wait_ready()
        if self.envoy is not None and self.admin is not None:
            await self.admin.wait_ready(len(self.workers))
            self.envoy.mark_ready()

    async def _watch_envoy(self) -> None:
        """Notice when a replaced Envoy serves again."""
        while self.envoy is not None and self.admin is not None:
            await asyncio.sleep(_HEALTH_INTERVAL)
            if self.envoy.status is Status.STARTING and await self.admin.is_live():
                self.envoy.mark_ready()

    async def _drain(self) -> None:
        self.draining = True
        if self.envoy is not None and self.admin is not None:
            if self.envoy.status is Status.READY:
                await _drain_envoy(self.admin, self.settings.drain_time)
            await self.envoy.stop(_STOP_TIMEOUT)
        grace = self.settings.notice + self.settings.drain_time + _STOP_TIMEOUT
        async with asyncio.TaskGroup() as group:
            for worker in self.workers:
                group.create_task(worker.stop(grace), name=f"stop {worker.name}")


async def _drain_envoy(admin: EnvoyAdmin, drain_time: float) -> None:
    """Refuse new connections and wait for running requests; log what is cut."""
    running = 0
    try:
        await admin.refuse_connections()
        async with asyncio.timeout(drain_time):
            while running := await admin.active_requests():  # noqa: ASYNC110 - Envoy sends no events
                await asyncio.sleep(_POLL)
    except TimeoutError:
        log.warning("drain time is over: %d running requests are cut", running)
    except OSError as error:
        log.warning("Envoy cannot be drained: %s", type(error).__name__)


async def _first(*waits: Awaitable[object]) -> None:
    """Return when the first of `waits` does; cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


@dataclass(frozen=True, slots=True)
class Signals:
    """What the process was told: to stop (SIGINT, SIGTERM), to read its file again (SIGHUP)."""

    stop: asyncio.Event
    reload: asyncio.Event


def signals() -> Signals:
    """Return events that signals set; a second one to stop ends at once."""
    told = Signals(asyncio.Event(), asyncio.Event())
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def on_stop() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        told.stop.set()

    for number in numbers:
        loop.add_signal_handler(number, on_stop)
    loop.add_signal_handler(signal.SIGHUP, told.reload.set)
    return told
