from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from extproc import traceparent
from extproc.config.load import loads
from extproc.deciding import Decider
from extproc.errors import OrchestratorFailed
from extproc.explaining import body_of, describe, explain, summary
from extproc.filters.chain import Chain, Link
from extproc.plan import Plan, Source
from extproc.runtime import Runtime, build
from extproc.spans import NoTracer

YAML = """
version: v1
agents: [{id: weather, url: "http://127.0.0.1:1"}, {id: flights, url: "http://127.0.0.1:2"}]
listeners:
  - type: agent
    name: main
    port: 0
    agents:
      - {id: weather, description: Weather forecasts for any city.}
      - {id: flights, description: Finds and books flights.}
"""


async def nobody(_call: object) -> Any:
    raise AssertionError("nobody is called")


async def test_a_decision_with_the_words_that_speak_for_each_agent() -> None:
    runtime = build(loads(YAML, "o.yaml").config, generation=1, caller=nobody)
    explained = await explain(runtime, runtime.listeners["main"], body_of("book a flight"))
    told = describe(explained)
    assert set(told) == {
        *("plan", "source", "confidence", "scores", "ms", "reason", "matched"),
    }
    assert (told["plan"], told["source"]) == (["flights"], "embedded")
    assert told["reason"] == "by the built-in strategy"
    assert set(told["matched"]["flights"]) == {"flight", "book"}
    assert json.loads(json.dumps(told)) == told
    assert set(summary(explained.decision)) == set(told) - {"reason", "matched"}


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Plan(("a",), Source.MODEL), "by the answer of the model"),
        (Plan(("a",), Source.MODEL, reason="as it says"), "as it says"),
        (Plan((), Source.MODEL), "no agent fits: the default one gets it"),
    ],
)
async def test_why(
    make_runtime: Callable[..., Runtime],
    make_decider: Callable[..., Decider],
    scripted: Callable[..., Any],
    plan: Plan,
    reason: str,
) -> None:
    runtime = make_runtime(decider=make_decider(strategy=scripted(plan)))
    explained = await explain(runtime, runtime.listeners["main"], body_of("?"))
    assert (explained.reason, explained.matched) == (reason, {})


async def test_nothing_is_remembered_filtered_or_traced(
    make_runtime: Callable[..., Runtime], make_decider: Callable[..., Decider]
) -> None:
    class Unasked:
        async def apply(self, subject: object) -> Any:  # noqa: ARG002 - the Protocol's
            raise AssertionError("no filter is asked")

    class Sampled(NoTracer):
        parents: list[str] = []  # noqa: RUF012 - one tracer

        def span(self, name: str, parent: str, *rest: Any) -> Any:
            self.parents.append(parent)
            return super().span(name, parent, *rest)

    decider = make_decider()
    filters = Chain((Link("guard", Unasked(), 1.0),), NoTracer())
    runtime = replace(make_runtime(decider=decider, chain=filters), tracer=Sampled())
    await explain(runtime, runtime.listeners["main"], body_of("rain?"))
    assert len(decider.decisions) == len(decider.sessions) == 0
    assert not any(traceparent.is_sampled(parent) for parent in Sampled.parents)


async def test_what_cannot_be_decided_is_raised(
    make_runtime: Callable[..., Runtime],
    make_decider: Callable[..., Decider],
    scripted: Callable[..., Any],
) -> None:
    failing = scripted(OrchestratorFailed("no answer"))
    runtime = make_runtime(decider=make_decider(strategy=failing, reject_error=True))
    with pytest.raises(OrchestratorFailed):
        await explain(runtime, runtime.listeners["main"], body_of("rain?"))
    slow = make_runtime(decider=make_decider(strategy=scripted(None)), decision_timeout=0.01)
    with pytest.raises(TimeoutError):
        await explain(slow, slow.listeners["main"], body_of("rain?"))
