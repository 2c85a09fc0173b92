from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import pytest

from extproc.conversation import Api, Conversation, Message
from extproc.evaluation.cases import Case, Kind
from extproc.evaluation.decide import Prediction, Result
from extproc.json_document import JsonObject

MakeResult = Callable[..., Result]


@pytest.fixture
def result() -> MakeResult:
    """Make a result: what was expected and got, as `a b`; `got=None` is a failure."""
    numbers = itertools.count(1)

    def make(  # noqa: PLR0913 - tests name those that matter to them
        expected: str,
        got: str | None,
        *,
        kind: str | None = None,
        agents_set: str = "desk",
        scores: Mapping[str, float] | None = None,
        score: float = 0.5,
        latency_ms: float = 1.0,
        tags: frozenset[str] = frozenset(),
    ) -> Result:
        agents = tuple(expected.split())
        conversation = Conversation(Api.CHAT, JsonObject(b"{}", {}), None, (Message("user", "x"),))
        usual = {0: Kind.NONE, 1: Kind.SINGLE}.get(len(agents), Kind.MULTI)
        case = Case(
            id=f"case-{next(numbers)}",
            agents_set=agents_set,
            conversation=conversation,
            expected=agents,
            kind=Kind(kind) if kind else usual,
            tags=tags,
        )
        if got is None:
            return Result(case, None, "the model server is down")
        return Result(case, Prediction(tuple(got.split()), score, latency_ms, scores or {}))

    return make
