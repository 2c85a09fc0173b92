from __future__ import annotations

from collections.abc import Callable

from extproc.envoyconf.resources.attachment import (
    attached_filters,
    attached_routes,
    filters_on,
    stripping,
)
from extproc.envoyconf.topology import Topology

Make = Callable[..., Topology]
SLOTS = ("outerloop.slot.before_decision", "outerloop.slot.after_decision")


def test_requests_of_others_pass_by_every_filter(make_topology: Make) -> None:
    topology = make_topology()
    filters = attached_filters(topology.listeners[0], topology)
    on = [each.name for each in filters if not each.disabled and each.name not in SLOTS]
    # It does nothing but where a route asks for it.
    assert on == ["outerloop.answers"]


def test_a_conversation_meets_all_that_decides(make_topology: Make) -> None:
    topology = make_topology()
    off = {each.name for each in attached_filters(*_of(topology)) if each.disabled}
    assert off == filters_on(topology.listeners[0], topology.limits).keys()
    *_, chat, messages, responses, models = attached_routes(*_of(topology))
    for each in (chat, messages, responses):
        assert each.typed_per_filter_config.keys() == off
        assert each.direct_response is not None
    assert "envoy.filters.http.buffer" not in models.typed_per_filter_config


def test_what_is_observed_passes_undecided_too(make_topology: Make) -> None:
    topology = make_topology(listener={"mode": "observe"})
    names = {each.name for each in attached_filters(*_of(topology))} - {*SLOTS}
    assert names == {"envoy.filters.http.buffer", "outerloop.decide"}


def test_headers_of_the_gateway_itself_are_left_alone(make_topology: Make) -> None:
    config = stripping(make_topology().listeners[0]).typed_config
    assert config is not None
    removed = repr(config.unpack())
    assert "x[-_]outerloop" in removed
    assert "envoy[-_]" not in removed


def _of(topology: Topology) -> tuple:  # type: ignore[type-arg] # two arguments of several functions
    return topology.listeners[0], topology
