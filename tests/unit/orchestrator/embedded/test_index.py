from __future__ import annotations

import numpy as np
import pytest

from extproc.orchestrator.api import AgentInfo
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.dense import TokenTable, unit
from extproc.orchestrator.embedded.index import Index, agent_phrases, agent_texts
from extproc.orchestrator.embedded.rows import CACHED_WORDS

AGENT = AgentInfo("home_agent", "Controls lights, heating and blinds at home.", ("lights on",))


def test_an_agent_speaks_by_id_description_and_examples() -> None:
    assert agent_texts(AGENT) == [f"home: {AGENT.description}", "lights on"]


def test_a_list_of_duties_falls_into_phrases() -> None:
    assert agent_phrases(AGENT) == ["home: Controls lights", "home: blinds at home."]


def test_a_single_phrase_is_not_repeated() -> None:
    assert agent_phrases(AgentInfo("a", "Controls lights")) == []


@pytest.fixture
def index(travel: tuple[AgentInfo, ...], table: TokenTable) -> Index:
    return Index(travel, table, table)


def test_the_parts_of_a_score_agree(index: Index, table: TokenTable) -> None:
    texts = ["will it rain", "a room for two nights"]
    ranking = index.rank(index.read(count_words(texts)), table(texts))
    assert ranking.fused.shape == (2, 3)
    assert ranking.fused.argmax(axis=1).tolist() == [0, 2]


def test_another_language_is_left_to_shared_words(index: Index, table: TokenTable) -> None:
    text = ["погода hotel"]
    ranking = index.rank(index.read(count_words(text)), table(text))
    assert ranking.fused[0].argmax() == ranking.lexical[0].argmax() == 2


def test_matches_name_the_words_that_count(index: Index) -> None:
    assert index.matches("the weather is nice")[0][0] == "weather"
    assert index.matches("xyzzy")[0] == []


def test_what_is_read_are_the_tables_vectors(index: Index, table: TokenTable) -> None:
    texts = ["will it rain, or not", "", "a room"]
    assert np.allclose(index.read(count_words(texts)).vectors, table(texts), atol=1e-6)


def test_known_words_make_a_text_legible(index: Index) -> None:
    texts = ["will it rain tomorrow?", "какая погода", ""]
    assert index.read(count_words(texts)).legible[:, 0].tolist() == [1, 0, 0]


def test_all_is_in_single_precision(index: Index) -> None:
    reading = index.read(count_words(["will it rain", "погода"]))
    ranking = index.rank(reading, reading.vectors)
    scores = ranking.fused, ranking.dense, ranking.lexical, ranking.related
    assert {each.dtype.name for each in scores} == {"float32"}


def test_the_centroid_of_an_agent_counts_half(table: TokenTable) -> None:
    agent = AgentInfo("home_agent", "Controls lights.", ("lights on", "close the blinds"))
    single = table(agent_texts(agent))
    texts = table(["are the blinds closed", "lights", ""])
    expected = ((texts @ single.T).max(axis=1) + texts @ unit(single.sum(axis=0)[None])[0]) / 2
    assert Index([agent], table, table).dense(texts)[:, 0] == pytest.approx(expected, abs=1e-6)


def test_an_agent_is_nearest_to_itself(index: Index) -> None:
    assert index.kinship.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("said", [["will it rain", "", "a cheap hotel, a hotel!"], ["?"], [""]])
def test_texts_are_read_as_each_alone(index: Index, said: list[str]) -> None:
    together = index.read(count_words(said))
    for row, text in enumerate(said):
        alone = index.read(count_words([text]))
        assert together.lexical[row] == pytest.approx(alone.lexical[0], abs=1e-6)
        assert together.related[row] == pytest.approx(alone.related[0], abs=1e-6)


def test_memory_is_bounded_whatever_words_come(index: Index) -> None:
    before = index.read(count_words(["a cheap hotel"])).lexical
    for number in range(0, CACHED_WORDS + 200, 200):
        index.read(count_words([" ".join(f"w{number + more}" for more in range(200))]))
        assert len(index._rows) <= CACHED_WORDS
    assert index.read(count_words(["a cheap hotel"])).lexical == pytest.approx(before)
