from __future__ import annotations

from collections import Counter

import pytest

from extproc.orchestrator.embedded.bm25 import bm25


def test_a_feature_tells_of_those_who_use_it() -> None:
    postings, _ = bm25([Counter(a=1, b=1), Counter(b=2)])
    assert postings["a"].agents.tolist() == [0]
    assert postings["b"].agents.tolist() == [0, 1]
    assert postings["b"].weights[1] > postings["b"].weights[0]
    assert postings["b"].most == pytest.approx(float(postings["b"].weights.max()))


def test_what_few_use_tells_more_and_what_nobody_uses_the_most() -> None:
    postings, unknown = bm25([Counter(a=1, b=1), Counter(b=1), Counter(b=1)])
    assert postings["b"].most < postings["a"].most
    assert unknown > 0


def test_a_long_document_says_less_with_each_word() -> None:
    postings, _ = bm25([Counter(a=1), Counter(a=1, b=9)])
    short, long = postings["a"].weights
    assert short > long


def test_without_agents_nothing_is_known() -> None:
    assert bm25([]) == ({}, 1.0)
