from __future__ import annotations

from extproc.orchestrator.embedded.background import (
    CLOSING,
    CONTINUATION,
    load_background,
    off_topic_sentences,
)


def test_sections_hold_sentences_each_once() -> None:
    sections = load_background()
    sentences = [sentence for section in sections.values() for sentence in section]
    assert len(sentences) == len(set(sentences)) > 200
    assert all(sentence == sentence.strip() != "" for sentence in sentences)


def test_turns_between_tasks_are_not_off_topic() -> None:
    sections = load_background()
    between = {*sections[CLOSING], *sections[CONTINUATION]}
    assert between.isdisjoint(off_topic_sentences())
    assert "tell me a joke" in off_topic_sentences()
