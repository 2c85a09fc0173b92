from __future__ import annotations

from extproc.config.faults import ConfigError, Fault, did_you_mean, in_order, path_text


def test_a_fault_is_shown_as_compilers_show_theirs() -> None:
    assert str(Fault("a.yaml", 3, 7, "agents[0].id", "too long")) == "a.yaml:3:7: too long"


def test_an_error_shows_all_its_faults() -> None:
    faults = (Fault("f", 1, 1, "", "one"), Fault("f", 2, 1, "", "two"))
    assert str(ConfigError(faults)) == "f:1:1: one\nf:2:1: two"
    assert ConfigError(faults).warnings == ()


def test_paths_have_keys_and_indexes() -> None:
    assert path_text(("listeners", 0, "agents", 1, "id")) == "listeners[0].agents[1].id"
    assert path_text(()) == ""


def test_only_close_words_are_suggested() -> None:
    assert did_you_mean("lisener", ["agents", "listeners"]) == " (did you mean 'listeners'?)"
    assert did_you_mean("zzz", ["agents", "listeners"]) == ""


def test_faults_are_ordered_by_position_and_said_once() -> None:
    late, early = Fault("f", 10, 1, "", "late"), Fault("f", 9, 30, "", "early")
    assert in_order([late, early, late]) == (early, late)
