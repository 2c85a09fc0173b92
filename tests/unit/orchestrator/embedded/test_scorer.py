from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.dense import TokenTable, Vectors
from extproc.orchestrator.embedded.scorer import Scorer, fitting_texts


def test_a_request_has_units_and_idle_talk_has_none(
    travel: tuple[AgentInfo, ...], table: TokenTable
) -> None:
    texts = ["what's the weather in Oslo", "who painted that picture"]
    units = Scorer(travel, table, table).score(count_words(texts)).units
    assert units[0].argmax() == 0
    assert units[0].max() > 1
    assert units[1].max() < 0.3


def test_vectors_of_another_kind_are_taken_as_they_are(
    travel: tuple[AgentInfo, ...], table: TokenTable
) -> None:
    texts = ["will it rain"]
    scorer = Scorer(travel, table, table)
    own, given = (scorer.score(count_words(texts), each) for each in (None, table(texts)))
    assert np.allclose(own.units, given.units, atol=1e-5)


def test_turns_between_tasks_are_recognised(
    travel: tuple[AgentInfo, ...], table: TokenTable
) -> None:
    texts = ["thank you, that's all", "yes, the second one"]
    scored = Scorer(travel, table, table).score(count_words(texts))
    assert scored.closing[0] > scored.continuation[0]
    assert scored.continuation[1] > scored.closing[1]


def test_examples_set_the_scale(travel: tuple[AgentInfo, ...], table: TokenTable) -> None:
    examples = ("sunny or not", "do I need an umbrella", "is it going to snow")
    exemplified = (replace(travel[0], examples=examples), *travel[1:])
    bare, fitted = (Scorer(agents, table, table) for agents in (travel, exemplified))
    text = ["umbrella weather"]
    assert not np.allclose(
        bare.score(count_words(text)).units, fitted.score(count_words(text)).units
    )


def test_a_request_for_one_of_many_duties_is_expected_to_score_lower(table: TokenTable) -> None:
    duties = "flights, dinners, plumbers, tax returns, concerts and loans."
    text = ["flights"]
    narrow, broad = (
        Scorer([AgentInfo("helper", description)], table, table)
        for description in ("Books cheap flights.", f"Arranges cheap travel, {duties}")
    )
    figures = []
    for scorer in (narrow, broad):
        scored = scorer.score(count_words(text))
        figures.append(float(scored.units[0, 0] / scored.ranking.fused[0, 0]))
    assert figures[0] < figures[1]


def test_agents_about_idle_talk_do_not_silence_each_other(table: TokenTable) -> None:
    agents = [AgentInfo("jokes", "Tells jokes.", ("tell me a joke", "make me laugh"))]
    text = ["tell me a joke"]
    scored = Scorer(agents, table, table).score(count_words(text))
    assert scored.units[0, 0] > 1
    assert scored.off_topic[0] < 0.9


def test_the_vectorizer_is_asked_once_for_all_texts(
    travel: tuple[AgentInfo, ...], table: TokenTable
) -> None:
    asked: list[list[str]] = []

    def recording(texts: Sequence[str]) -> Vectors:
        asked.append(list(texts))
        return table(texts)

    Scorer(travel, recording, table)
    assert asked == [fitting_texts(travel)]


def test_catalogues_larger_than_a_batch_are_fitted(table: TokenTable) -> None:
    agents = [
        AgentInfo(f"a{number}", "Sells tickets.", (f"ticket {number}", f"seat {number}"))
        for number in range(70)
    ]
    scored = Scorer(agents, table, table).score(count_words(["ticket 69 please"]))
    assert scored.units[0].argmax() == 69
