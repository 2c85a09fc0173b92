from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc.doctor.envoy import around
from extproc.doctor.envoy.attachment import Attachment, attachments
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Outcome

Make = Callable[..., Any]
Attached = Callable[..., Attachment]
MIB = 2**20
KNOWN = Expected(agents=("weather", "flights"), listener="travel", max_request_bytes=32 * MIB)
ALL = (around.early_headers, around.buffers, around.routes, around.cluster)


@pytest.fixture
def attached(make_dump: Make, make_manager: Make) -> Attached:
    """An attachment with these filters and settings of its connection manager."""

    def make(*filters: Any, **settings: Any) -> Attachment:
        [attachment] = attachments(make_dump(make_manager(*filters, **settings)))
        return attachment

    return make


@pytest.mark.parametrize("question", ALL)
@pytest.mark.parametrize("expected", [KNOWN, Expected()])
def test_an_attachment_as_it_is_rendered(
    attached: Attached, question: Make, expected: Expected
) -> None:
    outcome = question(attached(), expected).outcome
    # Without agents there is nothing to look for.
    proven = expected.agents or question is not around.routes
    assert outcome is (Outcome.OK if proven else Outcome.UNKNOWN)


def early(*mutations: Any) -> list[Any]:
    return [{"typed_config": {"mutations": list(mutations)}}]


BY_PREFIX = {"remove_on_match": {"key_matcher": {"prefix": "x-outerloop-"}}}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"early_header_mutation_extensions": []}, "x-outerloop-agent, x-outerloop-plan"),
        (
            {"early_header_mutation_extensions": early({"remove": "x-outerloop-agent"})},
            "x-outerloop-plan, x-outerloop-target",
        ),
        ({"early_header_mutation_extensions": early(BY_PREFIX)}, "x_outerloop_agent"),
    ],
)
def test_headers_that_clients_may_forge(attached: Attached, settings: Any, kept: str) -> None:
    finding = around.early_headers(attached(**settings), Expected())
    assert finding.outcome is Outcome.WRONG
    assert f"keep {kept}" in finding.seen


def test_underscores_may_be_refused_altogether(attached: Attached) -> None:
    attachment = attached(
        early_header_mutation_extensions=early(BY_PREFIX),
        common_http_protocol_options={"headers_with_underscores_action": "REJECT_REQUEST"},
    )
    assert around.early_headers(attachment, Expected()).outcome is Outcome.OK
    # Of several listeners one must say which it is.
    finding = around.early_headers(attachment, KNOWN)
    assert (finding.outcome, "x-outerloop-listener" in finding.seen) == (Outcome.WRONG, True)


@pytest.fixture
def buffering(
    make_dump: Make, make_manager: Make, make_ext_proc: Make, make_buffer: Make
) -> Callable[..., Attachment]:
    """An attachment with its buffer before the filter, after it or not at all."""
    ours, buffer = ("ours", make_ext_proc()), ("buffer", make_buffer(32 * MIB))
    orders = {"before": (buffer, ours), "after": (ours, buffer), "none": (ours,)}

    def make(order: str, **listener: int) -> Attachment:
        [attachment] = attachments(make_dump(make_manager(*orders[order]), **listener))
        return attachment

    return make


@pytest.mark.parametrize(
    ("order", "listener", "outcome"),
    [
        ("before", {}, Outcome.OK),
        ("after", {}, Outcome.WRONG),
        ("none", {}, Outcome.WRONG),
        ("none", {"per_connection_buffer_limit_bytes": 32 * MIB}, Outcome.OK),
        ("none", {"per_connection_buffer_limit_bytes": 32 * MIB - 1}, Outcome.WRONG),
    ],
)
def test_what_is_held_of_a_body(
    buffering: Callable[..., Attachment], order: str, listener: dict[str, int], outcome: Outcome
) -> None:
    assert around.buffers(buffering(order, **listener), KNOWN).outcome is outcome


def test_without_the_file_a_default_may_be_enough(buffering: Callable[..., Attachment]) -> None:
    finding = around.buffers(buffering("none"), Expected())
    assert (finding.outcome, "1MiB" in finding.seen) == (Outcome.UNKNOWN, True)


def test_agents_without_a_route(attached: Attached) -> None:
    expected = Expected(agents=("weather", "hotels"))
    finding = around.routes(attached(), expected)
    assert (finding.outcome, finding.seen) == (Outcome.WRONG, "no route for hotels")
    observing = Expected(agents=("hotels",), observes=True)
    assert around.routes(attached(), observing).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("service", "outcome"),
    [
        ({"google_grpc": {}}, Outcome.UNKNOWN),
        ({"envoy_grpc": {"cluster_name": "outerloop-lost"}}, Outcome.WRONG),
        ({"envoy_grpc": {"cluster_name": "weather"}}, Outcome.WRONG),
    ],
)
def test_the_way_to_the_processor(
    attached: Attached, make_ext_proc: Make, service: Any, outcome: Outcome
) -> None:
    attachment = attached(("ours", make_ext_proc(grpc_service=service)))
    assert around.cluster(attachment, KNOWN).outcome is outcome
