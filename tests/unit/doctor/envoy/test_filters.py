from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.envoy import filters
from extproc.doctor.envoy.attachment import Attachment, attachments
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Outcome

Make = Callable[..., Any]
Attached = Callable[..., Attachment]
ALL = (
    filters.modes,
    filters.timeouts,
    filters.mutation_rules,
    filters.failure_mode,
    filters.route_cache,
)
TWO_OF_OURS = "x-outerloop-(agent|plan)"


@pytest.fixture
def attached(make_dump: Make, make_manager: Make, make_ext_proc: Make) -> Attached:
    """An attachment whose filter has these settings."""

    def make(**settings: Any) -> Attachment:
        filter_ = ("ours", make_ext_proc(**settings))
        [attachment] = attachments(make_dump(make_manager(filter_)))
        return attachment

    return make


@pytest.mark.parametrize("question", ALL)
def test_a_filter_as_it_is_rendered(attached: Attached, question: Make) -> None:
    finding = question(attached(), Expected(decision_timeout=30.0))
    assert finding.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("question", "settings", "told"),
    [
        (filters.modes, {"processing_mode": {}}, "ours: request_body_mode NONE"),
        (
            filters.modes,
            {"processing_mode": {"request_body_mode": "STREAMED"}},
            "ours: request_body_mode STREAMED",
        ),
        (
            filters.modes,
            {"processing_mode": {"request_body_mode": "BUFFERED"}},
            "ours: request_trailer_mode SKIP",
        ),
        (filters.timeouts, {"message_timeout": None}, "ours: message_timeout 0.2 s, the default"),
        (filters.timeouts, {"message_timeout": "0.100s"}, "ours: message_timeout 0.1 s"),
        (
            filters.timeouts,
            {"message_timeout": "10s"},
            "ours: message_timeout 10 s, decision_timeout 30 s",
        ),
        (
            filters.timeouts,
            {"max_message_timeout": None},
            "ours: no max_message_timeout, so plans cannot ask for more time",
        ),
        (
            filters.mutation_rules,
            {"mutation_rules": {"disallow_expression": {"regex": "content-.*"}}},
            "ours: not allowed: content-length, content-type",
        ),
        (filters.failure_mode, {"failure_mode_allow": True}, "ours: failure_mode_allow true"),
        (
            filters.route_cache,
            {"route_cache_action": "RETAIN"},
            "ours: route_cache_action RETAIN",
        ),
        (
            filters.route_cache,
            {"disable_clear_route_cache": True},
            "ours: disable_clear_route_cache true",
        ),
    ],
)
def test_settings_that_are_wrong(
    attached: Attached, question: Make, settings: dict[str, Any], told: str
) -> None:
    finding = question(attached(**settings), Expected(decision_timeout=30.0))
    assert (finding.outcome, finding.seen) == (Outcome.WRONG, told)


def test_rules_that_are_wide_are_told(attached: Attached) -> None:
    finding = filters.mutation_rules(attached(mutation_rules={}), Expected())
    assert (finding.outcome, "authorization" in finding.seen) == (Outcome.OK, True)


def test_without_the_file_any_longer_timeout_will_do(attached: Attached) -> None:
    assert filters.timeouts(attached(message_timeout="1s"), Expected()).outcome is Outcome.OK


def test_what_is_only_observed_may_pass(attached: Attached) -> None:
    attachment = attached(failure_mode_allow=True, route_cache_action="RETAIN")
    for question in (filters.failure_mode, filters.route_cache):
        assert question(attachment, Expected(observes=True)).outcome is Outcome.OK


def test_one_that_is_skipped_for_some_needs_another_before_it(
    make_dump: Make, make_manager: Make, make_ext_proc: Make, make_matched: Make
) -> None:
    first = ("first", make_ext_proc(failure_mode_allow=True))
    again = ("again", make_matched(make_ext_proc()))
    for each, outcome in (((first, again), Outcome.OK), ((again,), Outcome.UNKNOWN)):
        [attachment] = attachments(make_dump(make_manager(*each)))
        assert filters.failure_mode(attachment, Expected()).outcome is outcome
