from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from extproc.config.model.root import Limits
from extproc.evaluation.agents import read_agents
from extproc.evaluation.cases import Case, read_cases
from extproc.evaluation.decide import Prediction, Result
from extproc.evaluation.metrics import measure
from extproc.evaluation.report import as_predictions

REFERENCE = Path(__file__).parents[4] / "shared/routing"
DEV = REFERENCE / "dev"

needs_reference = pytest.mark.skipif(
    not (REFERENCE / "score.py").exists(), reason="the reference scorer is not beside the clone"
)

MakeResult = Callable[..., Result]


def test_figures_of_a_small_set(result: MakeResult) -> None:
    results = [
        result("a", "a", score=0.9, latency_ms=1),
        result("a", "a b", score=0.8, latency_ms=2),
        result("a", "b", score=0.4, latency_ms=3, tags=frozenset({"switch"})),
        result("b", "", score=0.3, latency_ms=4, kind="followup"),
        result("a b", "a b", score=0.9, latency_ms=5),
        result("a b", "b a", score=0.9, latency_ms=6),
        result("a b", "a", score=0.9, latency_ms=7),
        result("", "", score=0.2, latency_ms=8),
        result("", "a", score=0.4, latency_ms=9),
    ]
    figures = measure(results).sets["desk"]
    assert figures == pytest.approx(
        {
            "n": 9,
            "single_n": 3,
            "single_acc": 1 / 3,
            "single_top1": 2 / 3,
            "followup_n": 1,
            "followup_acc": 0.0,
            "followup_top1": 0.0,
            "switch_acc": 0.0,
            "none_n": 2,
            "none_recall": 1 / 2,
            "none_precision": 1 / 2,
            "none_f1": 1 / 2,
            "false_none": 1 / 7,
            "none_auroc": (7 + 5.5) / 14,
            "multi_n": 3,
            "multi_precision": 1.0,
            "multi_recall": 5 / 6,
            "multi_f1": 10 / 11,
            "multi_exact_set": 2 / 3,
            "multi_exact_order": 1 / 3,
            "exact": 3 / 9,
            "lat_p50_ms": 5,
            "lat_p99_ms": 9,
        }
    )


def test_the_mean_of_sets_weighs_them_alike(result: MakeResult) -> None:
    results = [
        result("a", "a"),
        *(result("a", "b", agents_set="shop") for _ in range(3)),
        result("", "", agents_set="shop"),
    ]
    metrics = measure(results)
    assert list(metrics.sets) == ["desk", "shop"]
    assert metrics.macro["exact"] == pytest.approx((1 + 1 / 4) / 2)
    assert metrics.micro["exact"] == pytest.approx(2 / 5)
    assert metrics.macro["none_f1"] == 1.0
    assert "none_auroc" not in metrics.micro
    assert not any(name == "n" or name.endswith("_n") for name in metrics.macro)


def test_what_was_not_decided_is_wrong(result: MakeResult) -> None:
    metrics = measure([result("", None), result("", ""), result("a", None)])
    assert metrics.missing == 2
    assert metrics.micro["exact"] == pytest.approx(1 / 3)
    assert metrics.micro["none_recall"] == 1 / 2
    assert metrics.micro["false_none"] == 1.0
    assert "none_auroc" not in metrics.sets["desk"]


def test_nothing_was_decided(result: MakeResult) -> None:
    figures = measure([result("a b", None)]).micro
    assert (figures["multi_precision"], figures["multi_f1"]) == (0.0, 0.0)
    assert "lat_p50_ms" not in figures


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score", REFERENCE / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def guess(case: Case, agents: list[str], chance: random.Random) -> Result:
    if chance.random() < 0.01:
        return Result(case, None, "lost")
    chosen = [*case.expected]
    if chance.random() < 0.4:
        chosen = chance.sample(agents, chance.randint(0, 3))
    if chance.random() < 0.2:
        chance.shuffle(chosen)
    score, latency = round(chance.random(), 2), chance.expovariate(2)
    return Result(case, Prediction(tuple(chosen), score, latency, {}))


@needs_reference
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the reference's
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("whole", [True, False])
def test_figures_agree_with_the_reference_to_the_digit(
    seed: int, whole: bool, reference: ModuleType
) -> None:
    agents = read_agents(DEV / "agents.json")
    chance = random.Random(seed)
    results = [
        guess(case, [agent.id for agent in agents[case.agents_set]], chance)
        for case in read_cases(DEV / "cases.jsonl", agents.get, Limits())
    ]
    if whole:
        empty = Prediction((), 0.1, 0.5, {})
        results = [each if each.prediction else replace(each, prediction=empty) for each in results]
    lines = [json.loads(json.dumps(line)) for line in as_predictions(results)]
    expected = reference.score(str(DEV), {line["id"]: line for line in lines})
    ours = measure(results)
    assert (ours.sets, ours.micro, ours.macro, ours.missing) == expected
    assert (ours.missing == 0) is whole
