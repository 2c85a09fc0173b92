"""The whole is told to stop while requests and streams run."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.chaos.conftest import Configuration, eventually
from tests.chaos.load import EVENTS, MODELS, PAUSE, Load, say
from tests.e2e.conftest import Process
from tests.e2e.gateway import Gateway

if TYPE_CHECKING:
    from tests.e2e.conftest import Stack

STREAMS = 50
ALL_RUN = EVENTS * PAUSE
DRAIN_TIME = 30
pytestmark = pytest.mark.timeout(180)


async def test_up_lets_50_streams_finish_and_refuses_new_connections(
    up: Callable[..., Stack],
) -> None:
    stack = up("--workers", "2", "--drain-time", str(DRAIN_TIME))
    process = stack.process.popen
    async with Load(stack.url, streams=STREAMS) as load:
        # They began one after the other: those that end begin again.
        await asyncio.sleep(ALL_RUN)
        began, finished = time.monotonic(), load.report.streams
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: load.report.refused > 200)
        load.stop()
        code = await asyncio.to_thread(process.wait, DRAIN_TIME + 10)
        took = time.monotonic() - began
    say(f"up was told to stop: {load.report}; ended after {took:.1f} s")
    assert code == 0
    assert took < DRAIN_TIME
    assert load.report.streams - finished <= STREAMS
    assert (load.report.failures, load.report.cuts) == ({}, {})
    assert "requests are cut" not in stack.process.output


@pytest.fixture
def gateway(
    configuration: Configuration, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> Iterator[Gateway]:
    ports = [unused_tcp_port_factory() for _ in range(3)]
    # Headers of agents come from files that `render` only names.
    yaml = re.sub(r"headers: \{x-generation.*?\}", "enabled: true", str(configuration))
    gateway = Gateway(Process, tmp_path, yaml, ports)
    yield gateway
    for process in gateway.processes:
        process.stop()


async def test_serve_lets_50_streams_finish_and_what_comes_then_is_refused_by_envoy(
    gateway: Gateway,
) -> None:
    serve = gateway.serve(None, "--drain-time", str(DRAIN_TIME))
    gateway.envoy()
    await asyncio.to_thread(gateway.wait_healthy, 1)
    async with Load(gateway.url, streams=STREAMS, rate=50, kinds=(MODELS,)) as load:
        await asyncio.sleep(ALL_RUN)
        # What is sent while Envoy notices is decided; what is sent afterwards is not sent here.
        load.stop()
        began = time.monotonic()
        serve.popen.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(serve.popen.wait, DRAIN_TIME + 10)
        took = time.monotonic() - began
        answer = await asyncio.to_thread(
            httpx.post, f"{gateway.url}/v1/chat/completions", json={"messages": []}
        )
    say(f"serve was told to stop: {load.report}; ended after {took:.1f} s")
    assert (code, answer.status_code) == (0, 503)
    assert answer.headers["x-outerloop-error"] == "processor_unavailable"
    assert took < DRAIN_TIME
    assert (load.report.failures, load.report.cuts) == ({}, {})
