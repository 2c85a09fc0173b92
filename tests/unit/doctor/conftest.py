"""A gateway in this process: what a client is answered, by a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from extproc.apis.errors import error_body
from extproc.apis.models import models_body
from extproc.doctor.client import Client, Target
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Session
from extproc.doctor.prompts import Prompts
from extproc.doctor.reply import Reply
from extproc.doctor.requests import BROKEN, Filler
from extproc.errors import Reject
from extproc.origin import parse_origin

AGENTS = ("weather", "flights")
LIMIT = 6 * 2**20


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Filler | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The conversation; of what is none, nothing."""
        if not isinstance(self.body, bytes) or self.body == BROKEN:
            return {}
        return dict(json.loads(self.body))

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


Answer = Callable[[Asked], Reply]


class ScriptedClient(Client):
    """Answers by a function, and keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.target = Target(parse_origin("http://gateway.test"))
        self.mark = "outerloop-doctor-test"
        self.replies = []
        self.sent = 0
        self._numbers = count(1)
        self._answer = answer
        self.asked: list[Asked] = []

    async def _send(self, method: str, path: str, headers: Any, body: Any) -> Reply:
        self.next_id()
        self.asked.append(Asked(method, path, tuple(headers), body))
        self.replies.append(self._answer(self.asked[-1]))
        return self.replies[-1]


def refusal(status: int, code: str, path: str = "/v1/chat/completions") -> Reply:
    headers = (("content-type", "application/json"), ("x-outerloop-error", code))
    return Reply(status, headers, error_body(path, Reject(status, code, "no")))


def decided(agent: str, **more: str) -> Reply:
    """An agent's answer, with all that `full` tells."""
    told = {"agent": agent, "plan": agent, "source": "explicit", "confidence": "1.0"}
    told |= {"cached": "false", "decision-ms": "0.5", "step": "1/1"} | more
    headers = tuple((f"x-outerloop-{name}", value) for name, value in told.items())
    return Reply(200, headers, f'{{"by": "{agent}"}}'.encode())


def listing(*agents: str) -> Reply:
    return Reply(200, body=models_body((agent, "") for agent in agents or AGENTS), request_id="id")


PAGES = {
    "/v1/models": listing(),
    "/healthz": Reply(200),
    "/v1/chat/completions": refusal(405, "method_not_allowed"),
}


def good(asked: Asked) -> Reply:
    """Answer as a gateway does that is as it should be."""
    if asked.method == "GET":
        return PAGES.get(asked.path, refusal(404, "not_found"))
    if isinstance(asked.body, Filler) and asked.body.size > LIMIT:
        return refusal(413, "request_too_large", asked.path)
    if not asked.document:
        return refusal(400, "invalid_request", asked.path)
    return decided(asked.document.get("model", AGENTS[0]))


@pytest.fixture
def gateway() -> Answer:
    """A gateway that is as it should be."""
    return good


@pytest.fixture
def make_refusal() -> Callable[..., Reply]:
    """An error of ours: status, code, path."""
    return refusal


@pytest.fixture
def make_decided() -> Callable[..., Reply]:
    """An agent's answer, with all that `full` tells; keywords change that."""
    return decided


@pytest.fixture
def make_listing() -> Callable[..., Reply]:
    """What `GET /v1/models` answers for agents."""
    return listing


@pytest.fixture
def visit() -> Callable[..., Session]:
    """A session with a gateway; keywords are what is expected of it."""

    def make(answer: Answer, **expected: Any) -> Session:
        client = ScriptedClient(answer)
        known = Expected(**{"agents": AGENTS, **expected})
        return Session(client, Prompts(client), known, answer(Asked("GET", "/v1/models")))

    return make
