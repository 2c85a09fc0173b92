from __future__ import annotations

import numpy as np
import pytest

from extproc.orchestrator.embedded.calibration import (
    Leaving,
    OwnTask,
    fits,
    leaves,
    likely,
    odds,
    own_task,
    right,
)


def test_an_agent_with_more_units_fits_better_even_beyond_certainty() -> None:
    found = fits(odds(np.array([[-1, 0, 1, 3, 9]], np.float32), np.zeros((1, 1), np.float32))[0])
    assert (np.diff(found) > 0).all()
    assert found[1] < 0.5 < found[2]


def test_off_topic_talk_fits_less() -> None:
    units = np.array([[0.4]], np.float32)
    near, far = (np.array([[nearness]], np.float32) for nearness in (0.9, 0.0))
    assert odds(units, near) < odds(units, far)


def test_likelihoods_of_one_and_of_many_are_the_same() -> None:
    many = np.linspace(-9, 9, 30, dtype=np.float32)
    assert fits(many) == pytest.approx([likely(each) for each in many.tolist()], abs=1e-6)


def test_a_lead_makes_it_likelier_to_be_right() -> None:
    assert right(0) < right(0.5) < right(1e6) < 1


def test_what_speaks_for_a_task_of_its_own() -> None:
    part = OwnTask(lead=0.8, whole=0.6, marked=False, among=True, content_words=2, kinship=0.4)
    before = own_task(part)
    assert own_task(part._replace(lead=1.2)) > before
    assert own_task(part._replace(whole=0.9)) > before
    assert own_task(part._replace(marked=True)) > before
    assert own_task(part._replace(content_words=4)) > before
    assert own_task(part._replace(among=False)) < before
    assert own_task(part._replace(kinship=0.9)) < before
    assert own_task(part._replace(kinship=-0.5)) >= before


def test_a_turn_leaves_for_a_better_agent_and_not_for_a_yes() -> None:
    assert leaves(Leaving(1.2, 0.1, content_words=4, continuation=0.2)) > 0.9
    assert leaves(Leaving(0.1, 0.0, content_words=1, continuation=0.9)) < 0.1


def test_extreme_figures_stay_likelihoods() -> None:
    assert 0 <= leaves(Leaving(-1e9, 1e9, content_words=0, continuation=1)) <= 1
