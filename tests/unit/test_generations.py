from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import grpc.aio
import pytest

from extproc._pb import outerloop_ext_proc_pb2 as pb
from extproc.availability import Availability
from extproc.config.model.root import Config, Tracing
from extproc.deciding import Session
from extproc.egress import Egress
from extproc.generations import Generations
from extproc.plan import FilterRecord, Plan, Source
from extproc.recording import Record
from extproc.runtime import Runtime, build
from extproc.server.lifecycle import Server

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"


class Nothing:
    """Records nothing."""

    def begin(self) -> None: ...

    def end(self, record: Record) -> None: ...

    def answered(self, exchange: str, filters: tuple[FilterRecord, ...]) -> None: ...


class Service(AbstractAsyncContextManager["Service"]):
    """Must be left by the task that entered it."""

    def __init__(self) -> None:
        self.entered: asyncio.Task[Any] | None = None
        self.left = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.entered = asyncio.current_task()
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert asyncio.current_task() is self.entered
        self.left.set()

    @property
    def open(self) -> bool:
        return self.entered is not None and not self.left.is_set()


class Tracer:
    """Counts how often it was closed."""

    def __init__(self, config: Tracing) -> None:
        self.endpoint = config.otlp_endpoint
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Loads:
    """Generations whose files are the `configs` by their paths; what each one holds is at hand."""

    def __init__(self, tasks: asyncio.TaskGroup, egress: Egress) -> None:
        self.availability = Availability()
        self.configs: dict[Path, Config | Exception] = {}
        self.services: dict[int, Service] = {}
        self.tracers: list[Tracer] = []
        self.generations = Generations(self.read, egress, self.availability, tasks)

    def read(self, path: Path) -> Config:
        found = self.configs[path]
        if isinstance(found, Exception):
            raise found
        return found

    def build(self, config: Config, **arguments: Any) -> Runtime:
        self.services[arguments["generation"]] = service = Service()
        return replace(build(config, **arguments | {"tracer": None}), services=(service,))

    def tracer(self, config: Tracing) -> Tracer | None:
        if config.otlp_endpoint is None:
            return None
        self.tracers.append(Tracer(config))
        return self.tracers[-1]

    async def prepare(self, number: int, agent: str = "a", **rest: Any) -> None:
        path = Path(f"outerloop-{number}.yaml")
        self.configs[path] = config(agent, **rest)
        await self.generations.prepare(path, number)

    async def take_over(self, number: int, agent: str = "a", **rest: Any) -> Server:
        await self.prepare(number, agent, **rest)
        first = self.generations.number == 0
        return self.generations.commit(number, Nothing() if first else None)

    @property
    def runtime(self) -> Runtime:
        return self.generations.runtime


def config(agent: str, **rest: Any) -> Config:
    return Config.model_validate(
        {
            "version": "v1",
            "agents": [{"id": agent, "url": f"http://{agent}"}],
            "listeners": [{"name": "l", "port": 0, "agents": [{"id": agent}]}],
            **rest,
        }
    )


def traced(port: int = 4317) -> dict[str, Any]:
    return {"tracing": {"otlp_endpoint": f"http://127.0.0.1:{port}"}}


@pytest.fixture
async def loads(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loads]:
    egress = Egress()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        made = Loads(tasks, egress)
        monkeypatch.setattr("extproc.generations.build", made.build)
        monkeypatch.setattr("extproc.generations._tracer", made.tracer)
        monkeypatch.setattr("extproc.generations._POLL", 0.001)
        # It would hide from later tests what earlier ones left.
        monkeypatch.setattr("extproc.generations.freeze", lambda: None)
        yield made
        await made.generations.close()
    await egress.close()


class Call:
    """One ext_proc stream of a request whose body is yet to come."""

    def __init__(self, channel: Any) -> None:
        self.stream = channel.stream_stream(METHOD)()

    async def begin(self) -> Call:
        message = pb.ProcessingRequest()
        for name, value in ((":method", "POST"), (":path", "/v1/chat/completions")):
            message.request_headers.headers.headers.add(key=name, raw_value=value.encode())
        message.protocol_config.request_body_mode = pb.BUFFERED
        assert (await self._ask(message)).HasField("request_headers")
        return self

    async def agent(self) -> str:
        """Send the body, and return the agent that was chosen."""
        body = b'{"messages":[{"role":"user","content":"hello"}]}'
        message = pb.ProcessingRequest(request_body=pb.HttpBody(body=body, end_of_stream=True))
        answer = await self._ask(message)
        mutation = answer.request_body.response.header_mutation
        sent = {each.header.key: each.header.raw_value for each in mutation.set_headers}
        assert await self.stream.read() is grpc.aio.EOF
        return sent["x-outerloop-agent"].decode()

    async def _ask(self, message: pb.ProcessingRequest) -> pb.ProcessingResponse:
        await self.stream.write(message.SerializeToString())
        return pb.ProcessingResponse.FromString(await self.stream.read())


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Callable[[Server], Any]]:
    """Serve on a unix socket, and return a channel to it."""
    served: list[tuple[Server, Any]] = []

    async def connect(server: Server) -> Any:
        address = f"unix:{tmp_path}/w.sock"
        await server.start(address)
        served.append((server, grpc.aio.insecure_channel(address)))
        return served[-1][1]

    yield connect
    for server, channel in served:
        await channel.close()
        await server.drain(0, 0)


class TestDeciding:
    async def test_nothing_is_decided_by_what_is_only_prepared(self, loads: Loads) -> None:
        assert loads.generations.number == 0
        await loads.prepare(1)
        assert loads.generations.number == 0
        loads.generations.commit(1, Nothing())
        assert loads.generations.number == 1
        await loads.prepare(2, "b")
        assert loads.generations.number == 1
        assert loads.generations.config.agents[0].id == "a"
        loads.generations.commit(2)
        assert loads.generations.number == 2
        assert loads.generations.config.agents[0].id == "b"

    async def test_new_streams_are_decided_by_the_newest_and_running_ones_as_they_began(
        self, loads: Loads, connect: Any
    ) -> None:
        channel = await connect(await loads.take_over(1, "a"))
        old = await Call(channel).begin()
        await loads.take_over(2, "b")
        new = await Call(channel).begin()
        assert loads.generations.older_streams == 1
        assert (await new.agent(), await old.agent()) == ("b", "a")
        assert loads.generations.older_streams == 0

    async def test_the_server_stays(self, loads: Loads) -> None:
        assert await loads.take_over(1) is await loads.take_over(2)

    @pytest.mark.parametrize("number", [1, 3])
    async def test_what_was_not_prepared_is_refused(self, loads: Loads, number: int) -> None:
        await loads.take_over(1)
        await loads.prepare(2)
        with pytest.raises(ValueError, match=f"generation {number} is not prepared"):
            loads.generations.commit(number)
        loads.generations.commit(2)
        with pytest.raises(ValueError, match="generation 2 is not prepared"):
            loads.generations.commit(2)

    async def test_what_is_prepared_last_counts(self, loads: Loads) -> None:
        await loads.take_over(1)
        await loads.prepare(2, "b")
        await loads.prepare(2, "c")
        loads.generations.commit(2)
        assert loads.generations.config.agents[0].id == "c"

    async def test_a_file_that_cannot_be_used_changes_nothing(self, loads: Loads) -> None:
        await loads.take_over(1)
        loads.configs[Path("faulty.yaml")] = ValueError("filter pii: cannot be made")
        with pytest.raises(ValueError, match="filter pii"):
            await loads.generations.prepare(Path("faulty.yaml"), 2)
        assert loads.generations.number == 1
        with pytest.raises(ValueError, match="not prepared"):
            loads.generations.commit(2)


class TestRemembering:
    async def test_sessions_outlive_a_reload(self, loads: Loads) -> None:
        await loads.take_over(1)
        session = Session(Plan(("a",), Source.EMBEDDED), "a")
        loads.runtime.listeners["l"].decider.sessions.put(b"key", session)
        await loads.take_over(2)
        assert loads.runtime.generation == 2
        assert loads.runtime.listeners["l"].decider.sessions.get(b"key") == session

    async def test_what_is_down_is_known_where_the_file_asks_for_it(self, loads: Loads) -> None:
        await loads.take_over(1)
        assert loads.runtime.listeners["l"].decider.availability is None
        await loads.take_over(2, orchestrator={"avoid_unavailable": True})
        assert loads.runtime.listeners["l"].decider.availability is loads.availability


class TestServices:
    """Such as sessions with MCP servers, which are kept open."""

    async def test_they_are_open_before_the_first_request_and_until_the_last_has_ended(
        self, loads: Loads, connect: Any
    ) -> None:
        channel = await connect(await loads.take_over(1))
        old = await Call(channel).begin()
        await loads.prepare(2)
        assert loads.services[2].open
        loads.generations.commit(2)
        new = await Call(channel).begin()
        await new.agent()
        assert loads.services[1].open
        await old.agent()
        await loads.services[1].left.wait()
        assert loads.services[2].open

    async def test_those_of_what_was_never_decided_by_are_left(self, loads: Loads) -> None:
        await loads.take_over(1)
        await loads.prepare(2)
        dropped = loads.services[2]
        await loads.prepare(2)
        assert dropped.left.is_set()
        assert loads.services[2].open
        assert loads.services[1].open

    async def test_all_are_left_at_the_end(self, loads: Loads) -> None:
        await loads.take_over(1)
        await loads.take_over(2)
        await loads.prepare(3)
        await loads.generations.close()
        assert not [each for each in loads.services.values() if each.open]


class TestTracing:
    """Spans that were not sent are sent when a tracer is closed: once, and by all who had it."""

    async def test_a_reload_that_leaves_it_alone_keeps_the_tracer(self, loads: Loads) -> None:
        await loads.take_over(1, **traced())
        await loads.take_over(2, "b", **traced())
        await loads.services[1].left.wait()
        (tracer,) = loads.tracers
        assert tracer.closed == 0

    async def test_another_collector_is_another_tracer(self, loads: Loads, connect: Any) -> None:
        channel = await connect(await loads.take_over(1, **traced(4317)))
        old = await Call(channel).begin()
        await loads.take_over(2, **traced(4318))
        first, second = loads.tracers
        assert first.closed == 0, "a stream runs"
        await old.agent()
        await loads.services[1].left.wait()
        while not first.closed:
            await asyncio.sleep(0.001)
        assert (first.closed, second.closed) == (1, 0)

    async def test_at_the_end_it_is_closed_once_whoever_else_has_it(self, loads: Loads) -> None:
        """Such as a configuration that Envoy refused: it is prepared, and never decided by."""
        await loads.take_over(1, **traced())
        await loads.prepare(2, "b", **traced())
        await loads.generations.close()
        (tracer,) = loads.tracers
        assert tracer.closed == 1

    async def test_where_a_stream_was_cut_it_is_closed_as_well(
        self, loads: Loads, connect: Any
    ) -> None:
        channel = await connect(await loads.take_over(1, **traced()))
        await Call(channel).begin()
        await loads.take_over(2, **traced())
        await loads.generations.close()
        (tracer,) = loads.tracers
        assert tracer.closed == 1

    async def test_the_tracer_of_what_cannot_be_used_is_closed(
        self, loads: Loads, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await loads.take_over(1, **traced(4317))

        def fails(*_: object, **__: object) -> None:
            raise ValueError("no such file")

        monkeypatch.setattr("extproc.generations.build", fails)
        for port in (4317, 4318):
            with pytest.raises(ValueError, match="no such file"):
                await loads.prepare(2, **traced(port))
        served, failed = loads.tracers
        assert (served.closed, failed.closed) == (0, 1)

    async def test_the_tracer_of_what_was_dropped_is_closed(self, loads: Loads) -> None:
        await loads.take_over(1, **traced(4317))
        await loads.prepare(2, **traced(4318))
        await loads.prepare(2, **traced(4317))
        served, dropped = loads.tracers
        assert (served.closed, dropped.closed) == (0, 1)
