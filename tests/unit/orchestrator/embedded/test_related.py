from __future__ import annotations

from extproc.orchestrator.embedded.dense import TokenTable
from extproc.orchestrator.embedded.related import RelatedWords


def test_a_near_word_is_a_match(table: TokenTable) -> None:
    related = RelatedWords(["books flights", "hotel rooms"], table)
    assert related("airplane").argmax() == 0
    assert related("motel").argmax() == 1
    assert related.words("motel")["motel"].argmax() == 1


def test_scores_are_shares(table: TokenTable) -> None:
    related = RelatedWords(["books flights", ""], table)
    assert related("").tolist() == [0, 0]
    assert 0 <= related("the").max() <= related("flights").max() <= 1
