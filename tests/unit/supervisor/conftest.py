from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.address import PipeAddress
from extproc.supervisor.child import Child
from extproc.supervisor.envoy import EnvoyAdmin
from extproc.supervisor.stack import Snapshot, Stack, WorkerSettings

YAML = """
version: v1
agents: [{id: a, url: "http://127.0.0.1:1"}]
listeners: [{type: agent, name: l, port: 0, agents: [{id: a}]}]
"""


@pytest.fixture
def make_stack(tmp_path: Path) -> Callable[..., Stack]:
    """A stack whose workers have unix sockets in the test's folder, two each beside an Envoy."""

    def make(
        yaml: str = YAML,
        workers: int = 1,
        envoy: Child | None = None,
        admin: EnvoyAdmin | None = None,
        notice: float = 0.0,
    ) -> Stack:
        snapshot = tmp_path / "outerloop-1.yaml"
        snapshot.write_text(yaml)
        turns = "ab" if envoy is not None else "a"
        bind = [
            tuple(PipeAddress(str(tmp_path / f"w{index}{turn}.sock")) for turn in turns)
            for index in range(workers)
        ]
        settings = WorkerSettings(
            folder=tmp_path,
            file=str(tmp_path / "outerloop.yaml"),
            bind=tuple(bind),
            egress=None,
            notice=notice,
            drain_time=5.0,
            log_level="info",
        )
        return Stack(settings, Snapshot(1, snapshot), envoy, admin)

    return make


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


class FakeWorker:
    """Answers a supervisor on a control socket; `refuses` is why it prepares nothing."""

    def __init__(self) -> None:
        self.generation = 1
        self.older_streams = 0
        self.refuses: str | None = None
        self.prepared: int | None = None
        self.texts: dict[int, str] = {}
        self.down: list[str] | None = None
        self.decided: dict[str, Any] = {"decisions": [], "answers": {}}
        self.asked: list[str] = []
        self.tried: list[dict[str, Any]] = []
        self.looks: asyncio.Queue[None] = asyncio.Queue()
        """Has an item for each time that it was asked for its state."""

    async def decisions(self, _request: web.Request) -> web.Response:
        return web.json_response(self.decided)

    async def state(self, _request: web.Request) -> web.Response:
        self.looks.put_nowait(None)
        state = {"generation": self.generation, "older_streams": self.older_streams}
        return web.json_response(state)

    async def prepare(self, request: web.Request) -> web.Response:
        self.asked.append("prepare")
        if self.refuses is not None:
            return web.json_response({"error": self.refuses}, status=422)
        wanted = await request.json()
        self.prepared = wanted["generation"]
        self.texts[wanted["generation"]] = read(wanted["snapshot"])
        return web.json_response({})

    async def commit(self, request: web.Request) -> web.Response:
        self.asked.append("commit")
        number = (await request.json())["generation"]
        if number != self.prepared:
            return web.json_response({"error": f"generation {number} is not prepared"}, status=409)
        self.generation, self.prepared = number, None
        return web.json_response({})

    async def route(self, request: web.Request) -> web.Response:
        self.tried.append(await request.json())
        if self.refuses is not None:
            return web.json_response({"error": self.refuses}, status=422)
        return web.json_response({"plan": ["a"]})

    async def be_told(self, request: web.Request) -> web.Response:
        self.down = (await request.json())["agents"]
        return web.json_response({})


@pytest.fixture
async def fake_worker() -> AsyncIterator[Callable[[Path], Awaitable[FakeWorker]]]:
    """Start fake workers on control sockets."""
    runners: list[web.AppRunner] = []

    async def start(socket: Path) -> FakeWorker:
        worker = FakeWorker()
        app = web.Application()
        app.router.add_get("/decisions", worker.decisions)
        app.router.add_get("/state", worker.state)
        app.router.add_post("/prepare", worker.prepare)
        app.router.add_post("/commit", worker.commit)
        app.router.add_post("/down", worker.be_told)
        app.router.add_post("/route", worker.route)
        runners.append(web.AppRunner(app, access_log=None))
        await runners[-1].setup()
        await web.UnixSite(runners[-1], str(socket)).start()
        return worker

    yield start
    for runner in runners:
        await runner.cleanup()


PERCENTILES = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]


def histogram(
    name: str, buckets: Sequence[tuple[float, float, int]], *values: float
) -> dict[str, Any]:
    return {
        "name": name,
        "totals": [
            {"lower_bound": low, "width": width, "count": count} for low, width, count in buckets
        ],
        "intervals": [],
        "percentiles": [{"cumulative": value, "interval": None} for value in values],
    }


@pytest.fixture
def envoy_stats() -> dict[str, Any]:
    """What Envoy 1.40 answers of a listener, an agent with two variants, and one that is down.

    Its own filter would not let the clusters of others through.
    """
    hotel = "cluster.agent/hotel_agent"
    numbers = {
        "cluster.agent/dead.membership_healthy": 0,
        "cluster.agent/dead.membership_total": 1,
        "cluster.agent/dead.upstream_rq_5xx": 2,
        f"{hotel}/canary.external.upstream_rq_2xx": 1,
        f"{hotel}/canary.membership_healthy": 1,
        f"{hotel}/canary.membership_total": 2,
        f"{hotel}/canary.retry.upstream_rq_5xx": 4,
        f"{hotel}/canary.outlier_detection.ejections_active": 1,
        f"{hotel}/canary.outlier_detection.ejections_enforced_total": 2,
        f"{hotel}/canary.upstream_rq_active": 4,
        f"{hotel}/canary.upstream_rq_active_overflow": 5,
        f"{hotel}/canary.upstream_rq_retry": 6,
        f"{hotel}/canary.upstream_rq_2xx": 3,
        f"{hotel}/canary.upstream_rq_404": 1,
        f"{hotel}/canary.upstream_rq_4xx": 1,
        f"{hotel}/canary.upstream_rq_5xx": 1,
        f"{hotel}/stable.membership_healthy": 1,
        f"{hotel}/stable.membership_total": 1,
        "cluster.fallback/hotel_agent.upstream_rq_2xx": 7,
        "cluster.mirror/hotel_agent.upstream_rq_2xx": 7,
        "cluster.processor.membership_healthy": 2,
        "cluster.target/agent/dead.upstream_rq_2xx": 7,
        "connection_limit.travel.limited_connections": 1,
        "http.agents.travel.downstream_cx_active": 3,
        "http.agents.travel.downstream_rq_2xx": 8,
        "http.agents.travel.downstream_rq_active": 2,
        "http.agents.travel.ext_proc.answers.streams_failed": 9,
        "http.agents.travel.ext_proc.processor.streams_failed": 7,
        "http.agents.travel.ext_proc.again.streams_failed": 4,
        "http.egress.downstream_rq_2xx": 9,
        # Of no agent, of one that is gone, and of two variants.
        "outerloop.input_tokens.agent..variant.": 9,
        "outerloop.input_tokens.agent.gone.variant.": 9,
        "outerloop.input_tokens.agent.hotel_agent.variant.canary": 30,
        "outerloop.output_tokens.agent.hotel_agent.variant.stable": 9,
    }
    buckets = [(0, 0, 1), (4, 0.1, 1), (42, 1, 1), (250, 10, 2)]
    values = (0, 4.05, 42.5, 255, 258, 259, 260, 260, 260, 260)
    details = [
        histogram(f"{hotel}/canary.external.upstream_rq_time", buckets, *values),
        histogram(f"{hotel}/canary.upstream_rq_time", buckets, *values),
        histogram("outerloop.first_byte.agent.hotel_agent.variant.canary", buckets, *values),
    ]
    stats: list[dict[str, Any]] = [{"name": key, "value": numbers[key]} for key in numbers]
    histograms = {"supported_percentiles": PERCENTILES, "details": details}
    return {"stats": [*stats, {"histograms": histograms}]}


@pytest.fixture
def count_apart(tmp_path: Path) -> Callable[[str], int]:
    """Run a script that counts as a worker does, in a process of its own; return its id."""

    def run(script: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        return int(done.stdout)

    return run
