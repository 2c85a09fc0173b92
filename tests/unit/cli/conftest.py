from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.cli import failures
from extproc.cli.app import cli

YAML = """
version: v1
agents:
  - {id: weather, url: http://127.0.0.1:1}
  - {id: flights, url: http://127.0.0.1:2}
listeners:
  - type: agent
    name: travel
    port: 0
    agents:
      - {id: weather, description: Weather forecasts for any city.}
      - {id: flights, description: Finds and books flights.}
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def outerloop(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line in this process."""

    def run(*arguments: str) -> Result:
        code = failures.run(
            lambda: cli.main(list(arguments), prog_name="outerloop", standalone_mode=False),
            debug=False,
        )
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A valid configuration with one listener."""
    path = tmp_path / "outerloop.yaml"
    path.write_text(YAML)
    return path


@pytest.fixture
def two_listeners(tmp_path: Path) -> Path:
    """The same with a second listener, `other`, that offers flights alone."""
    path = tmp_path / "two.yaml"
    path.write_text(YAML + "  - {type: agent, name: other, port: 0, agents: [{id: flights}]}\n")
    return path


@contextmanager
def _answering(answers: Mapping[str, Any], status: int = 200) -> Iterator[str]:
    async def handler(request: web.Request) -> web.Response:
        answer = answers[request.path]
        if isinstance(answer, str):
            return web.Response(text=answer, status=status)
        return web.json_response(answer, status=status)

    app = web.Application()
    for path in answers:
        app.router.add_get(path, handler)
    runner = web.AppRunner(app)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()


@pytest.fixture
def answering() -> Callable[..., AbstractContextManager[str]]:
    """Be an admin, in a thread of its own, with these answers by their paths; give its address.

    Texts are answered as they are, all else as JSON.
    """
    return _answering


@pytest.fixture
def status_answer() -> dict[str, Any]:
    """What `GET /status` answers: an agent with variants, one without, and a filter."""
    figures = {"healthy": 1, "total": 1, "requests": 90, "errors": 0, "p50_ms": 5.4, "p95_ms": 20.0}
    variants = [
        {"id": "stable", "weight": 90, **figures},
        {"id": "canary", "weight": 10, **figures, "requests": 10, "errors": 1},
    ]
    both = {"healthy": 1, "total": 2, "requests": 100, "errors": 1, "p50_ms": None, "p95_ms": None}
    return {
        "time": "2026-05-04T09:12:33.120+00:00",
        "version": "0.1.0",
        "status": "ready",
        "generation": 3,
        "last_reload": None,
        "workers": [{"pid": 1, "status": "ready"}, {"pid": 2, "status": "starting"}],
        "envoy": {"pid": 3},
        "requests": {"total": 200, "inflight": 4, "outcomes": {"routed": 190, "rejected": 10}},
        "listeners": [{"name": "travel", "url": "http://127.0.0.1:8001", "requests": 200}],
        "agents": [
            {"id": "hotel", "hosts": ["http://h:1"], **both, "decided": 99, "variants": variants},
            {"id": "weather", "hosts": ["http://w:1"], **figures, "decided": 91, "variants": []},
        ],
        "filters": [
            {
                "id": "guard",
                "type": "builtin",
                "mode": "enforce",
                "on_error": "deny",
                "calls": 200,
                "outcomes": {"passed": 190, "denied": 10},
                "mean_ms": 0.25,
            }
        ],
    }


@pytest.fixture
def decisions_answer() -> list[dict[str, Any]]:
    """What `GET /decisions` answers: a plan of two, and before it what a filter denied."""
    passed = {"filter": "guard", "phase": "input", "outcome": "passed"}
    return [
        {
            "time": "2026-05-04T09:12:33.001+00:00",
            "request_id": "r-2",
            "listener": "travel",
            "outcome": "routed",
            "plan": ["weather", "hotel"],
            "source": "embedded",
            "confidence": 0.934,
            "ms": 1.25,
            "filters": [passed],
        },
        {
            "time": "2026-05-04T09:12:32.001+00:00",
            "request_id": "r-1",
            "listener": "travel",
            "outcome": "rejected",
            "plan": [],
            "source": None,
            "confidence": None,
            "ms": None,
            "filters": [{**passed, "outcome": "denied"}],
        },
    ]
