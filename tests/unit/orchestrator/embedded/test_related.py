from __future__ import annotations

import numpy as np

from extproc.orchestrator.embedded.bm25 import Scores
from extproc.orchestrator.embedded.counts import count_words
from extproc.orchestrator.embedded.dense import TokenTable
from extproc.orchestrator.embedded.related import RelatedWords


def score(related: RelatedWords, table: TokenTable, text: str) -> Scores:
    counted = count_words([text])
    rows = np.zeros((len(counted.words), related.width), np.float32)
    if counted.words:
        related.fill(counted.words, table.words(counted.words), rows)
    [scores] = related.scores(counted.counts @ rows)
    return np.asarray(scores)


def test_a_near_word_is_a_match(table: TokenTable) -> None:
    related = RelatedWords(["books flights", "hotel rooms"], table)
    assert score(related, table, "airplane").argmax() == 0
    assert score(related, table, "motel").argmax() == 1


def test_scores_are_shares(table: TokenTable) -> None:
    related = RelatedWords(["books flights", ""], table)
    assert score(related, table, "").tolist() == [0, 0]
    stop, said = (score(related, table, text).max() for text in ("the", "flights"))
    assert 0 <= stop <= said <= 1
