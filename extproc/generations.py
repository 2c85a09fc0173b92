"""The configurations of one worker: the one it decides by, and older ones while their streams run.

prepare ─> (all other workers and Envoy are ready too) ─> commit ─> streams end ─> gone
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.availability import Availability
from extproc.config.model.root import Config, Tracing
from extproc.egress import Egress, gateway_of
from extproc.pipeline import Pipeline
from extproc.recording import Recorder
from extproc.runtime import Runtime, build, informed
from extproc.server.lifecycle import Server

if TYPE_CHECKING:
    # An extra, and slow to import: only a file that names a collector needs it.
    from extproc.telemetry.tracing import OtelTracer

_POLL: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Generation:
    config: Config
    runtime: Runtime
    tracer: OtelTracer | None
    leave: asyncio.Event
    services: asyncio.Task[None]


class Generations:
    """Loads configurations by `read` and has the server decide by the newest that was committed.

    Methods may be called from one event loop only. `tasks` must outlast it.
    """

    def __init__(
        self,
        read: Callable[[Path], Config],
        egress: Egress,
        availability: Availability,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._read = read
        self._tasks = tasks
        self._egress = egress
        self._availability = availability
        self._server: Server | None = None
        self._prepared: _Generation | None = None
        self._serving: list[_Generation] = []
        self._retiring: list[asyncio.Task[None]] = []

    @property
    def number(self) -> int:
        """The generation that new streams are decided by; 0 before the first."""
        return self._serving[-1].runtime.generation if self._serving else 0

    @property
    def config(self) -> Config:
        """The configuration of that generation."""
        return self._serving[-1].config

    @property
    def runtime(self) -> Runtime:
        """What that generation decides by."""
        return self._serving[-1].runtime

    @property
    def older_streams(self) -> int:
        """How many streams still run that began with an older one."""
        return self._server.older_streams if self._server is not None else 0

    async def prepare(self, snapshot: Path, number: int) -> Config:
        """Load a configuration, so that it can be served at once.

        What was prepared before and not committed is dropped. Raises `ConfigError`, ValueError or
        OSError; what is served stays as it is.
        """
        config = await asyncio.to_thread(self._read, snapshot)
        current = self._serving[-1] if self._serving else None
        same_tracing = current is not None and current.config.tracing == config.tracing
        tracer = current.tracer if current and same_tracing else _tracer(config.tracing)
        egress = self._egress.through(gateway_of(config))
        try:
            # Strategies are fitted here: requests go on meanwhile.
            runtime = await asyncio.to_thread(
                build,
                config,
                generation=number,
                caller=egress,
                way=egress,
                tracer=tracer,
            )
        except BaseException:
            if tracer is not None and (current is None or tracer is not current.tracer):
                await asyncio.to_thread(tracer.close)
            raise
        runtime = informed(
            runtime,
            current.runtime if current is not None else None,
            self._availability if config.orchestrator.avoid_unavailable else None,
        )
        entered, leave = asyncio.Event(), asyncio.Event()
        services = self._tasks.create_task(_keep(runtime, entered, leave))
        await entered.wait()
        if self._prepared is not None:
            await self._end(self._prepared)
        self._prepared = _Generation(config, runtime, tracer, leave, services)
        return config

    def commit(self, number: int, recorder: Recorder | None = None) -> Server:
        """Decide new streams by what was prepared as `number`; return the server.

        `recorder` is for the first one, which makes the server. Raises ValueError where something
        else was prepared.
        """
        new = self._prepared
        if new is None or new.runtime.generation != number:
            raise ValueError(f"generation {number} is not prepared")
        self._prepared = None
        pipeline = Pipeline(new.runtime)
        if self._server is None:
            if recorder is None:
                raise ValueError("the first generation needs a recorder")
            self._server = Server(pipeline, recorder)
        else:
            self._server.swap(pipeline)
            self._retiring = [task for task in self._retiring if not task.done()]
            retire = self._retire(self._server, tuple(self._serving))
            self._retiring.append(self._tasks.create_task(retire))
        self._serving.append(new)
        return self._server

    async def close(self) -> None:
        """Leave all services: the server must have been drained."""
        for task in self._retiring:
            task.cancel()
        self._serving += filter(None, (self._prepared,))
        self._prepared = None
        while self._serving:
            await self._end(self._serving.pop())

    async def _retire(self, server: Server, old: tuple[_Generation, ...]) -> None:
        """Leave what older generations held once none of their streams runs."""
        while server.older_streams:  # noqa: ASYNC110 - streams do not say when they end
            await asyncio.sleep(_POLL)
        for each in old:
            if each in self._serving:
                self._serving.remove(each)
                await self._end(each)
        freeze()

    async def _end(self, generation: _Generation) -> None:
        generation.leave.set()
        await asyncio.wait([generation.services])
        tracer = generation.tracer
        others = (*self._serving, *filter(None, (self._prepared,)))
        if tracer is not None and not any(
            each.tracer is tracer for each in others if each is not generation
        ):
            await asyncio.to_thread(tracer.close)


def freeze() -> None:
    """Keep what was loaded out of full collections, in which it takes some 0.2 s."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def _keep(runtime: Runtime, entered: asyncio.Event, leave: asyncio.Event) -> None:
    """Hold the services of a runtime: sessions must be left by the task that entered them."""
    async with AsyncExitStack() as exits:
        for service in runtime.services:
            await exits.enter_async_context(service)
        entered.set()
        await leave.wait()


def _tracer(config: Tracing) -> OtelTracer | None:
    if config.otlp_endpoint is None:
        return None
    try:
        from extproc.telemetry.tracing import OtelTracer, otlp_exporter
    except ImportError as error:
        raise ValueError("tracing needs: pip install 'outerloop-extproc[otel]'") from error
    return OtelTracer(config, otlp_exporter(config.otlp_endpoint))
