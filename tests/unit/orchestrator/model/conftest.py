from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from extproc.calls import Call, CallFailed, Response, Target
from extproc.config.model.orchestrator import ModelServer
from extproc.http import Headers
from extproc.origin import parse_origin


@dataclass
class Server:
    """A model server by script, and the clock it lives by: each call takes its next step."""

    steps: list[Response | CallFailed] = field(default_factory=list)
    seconds: float = 0.0
    calls: list[Call] = field(default_factory=list)
    now: float = 1000.0

    async def __call__(self, call: Call) -> Response:
        self.calls.append(call)
        self.now += min(self.seconds, call.timeout)
        step = self.steps.pop(0)
        if isinstance(step, CallFailed):
            raise step
        return step

    def clock(self) -> float:
        return self.now

    def answers(self, status: int = 200, content: Any = '{"route": ["weather"]}') -> None:
        choices = [{"message": {"role": "assistant", "content": content}}]
        self.fails(status, json.dumps({"choices": choices}).encode())

    def fails(self, status: int, body: bytes = b"") -> None:
        self.steps.append(Response(status, Headers(), body))

    def breaks(self, *, timed_out: bool = False) -> None:
        self.steps.append(CallFailed("model: broken", timed_out=timed_out))

    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.calls]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def target() -> Target:
    return Target("model", parse_origin("http://models.test/prefix/v1"))


@pytest.fixture
def config() -> Callable[..., ModelServer]:
    """Make the configuration of a model server; the access key is `secret`."""

    def make(**more: Any) -> ModelServer:
        known = {"url": "http://models.test/prefix/v1", "name": "router", "access_key": "secret"}
        return ModelServer.model_validate({**known, **more})

    return make
