"""The HTTP filters of an agent listener, in their order."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state import (
    v3 as filter_state_value,
)
from envoy_data_plane.envoy.extensions.filters.http.buffer import v3 as buffer
from envoy_data_plane.envoy.extensions.filters.http.health_check import v3 as health_check
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state import v3 as filter_state
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.envoyconf.resources import headers
from extproc.envoyconf.resources.decompressors import decompressors
from extproc.envoyconf.resources.ext_proc import (
    answer_processor,
    answers_enabled,
    decided_by_another_worker,
    external_processor,
    failure_mode_allowed,
)
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.matchers import header_is, matching
from extproc.envoyconf.resources.measures import token_filters
from extproc.envoyconf.topology import AgentListener, Topology

BUFFER: Final = "envoy.filters.http.buffer"
"""Name by which a route switches the buffer filter off."""

DECIDED: Final = "outerloop.decide"
"""Name of the filter that asks the processor."""

PROCESSOR: Final = "envoy.filters.http.ext_proc"
"""Name by which a route lets pass what the processor cannot be asked about.

It is the filter that asks again, and the only one of the two without which nothing passes.
"""

ANSWERS: Final = "outerloop.answers"
"""Name by which an agent's route switches the filters of answers on."""

SLOT_BEFORE: Final = "outerloop.slot.before_decision"
"""Where `envoy.http_filters.before_decision` is put in: see `render.own`."""

SLOT_AFTER: Final = "outerloop.slot.after_decision"
"""Where `envoy.http_filters.after_decision` is put in."""

PATH_STATE: Final = "outerloop.path"
"""Filter state with the path as the client asked for it: the router rewrites `:path`."""


def http_filters(listener: AgentListener, topology: Topology) -> list[hcm.HttpFilter]:
    """Return the filters as requests pass them; responses pass them the other way."""
    # What is only observed passes undecided too.
    observes = listener.observed_by is not None
    filters: list[tuple[str, Any | None]] = [
        # First, so that it sees every answer last: agents', the processor's and Envoy's own.
        ("envoy.filters.http.header_mutation", headers.to_client(topology.response_headers)),
        # Sees an answer next to last, with what the first one may take away.
        ("envoy.filters.http.header_to_metadata", headers.of_the_one_that_served()),
        # Before anything that may answer: the access log reads it.
        ("envoy.filters.http.set_filter_state", _path_state()),
        # Before the processor: liveness does not depend on it.
        ("envoy.filters.http.health_check", _health_check()),
        # Before bodies are read: who may not come, or not yet, costs nothing.
        (SLOT_BEFORE, None),
        # Before the buffer, which bounds what they make of a body.
        *decompressors(topology.limits),
        # Before the processor: slow uploads wait here, and the whole body is bounded once.
        (BUFFER, body_buffer(topology.limits.max_request_bytes)),
        # Decides, and has the route chosen again.
        (DECIDED, external_processor(listener)),
        # A worker that dies takes with it what it was deciding.
        *([] if observes else [(PROCESSOR, decided_by_another_worker(listener))]),
        # Sees the decision.
        (SLOT_AFTER, None),
        # Behind the decision, as it does what the agent's route says; answers pass it first.
        (ANSWERS, answer_processor()),
    ]
    return [
        *(hcm.HttpFilter(name=name, typed_config=config) for name, config in filters),
        # Behind the filters of answers: what the agent said, whatever they make of it.
        *token_filters(count_tokens=topology.count_tokens),
        router_filter(),
    ]


def router_filter() -> hcm.HttpFilter:
    """Return the filter that sends a request on: the last one, by Envoy's rule."""
    return hcm.HttpFilter(
        name="envoy.filters.http.router",
        typed_config=Packed(router.Router(suppress_envoy_headers=True)),
    )


def buffer_disabled() -> dict[str, Any]:
    """Return the per-route configuration of a route whose bodies are not waited for."""
    return {BUFFER: Packed(buffer.BufferPerRoute(disabled=True))}


def buffer_enabled(max_request_bytes: int) -> dict[str, Any]:
    """Return the per-route configuration that waits for a body where others are not waited for."""
    limit = buffer.Buffer(max_request_bytes=max_request_bytes)
    return {BUFFER: Packed(buffer.BufferPerRoute(buffer=limit))}


def failure_allowed() -> dict[str, Any]:
    """Return the per-route configuration of a route that does without the processor."""
    return {PROCESSOR: failure_mode_allowed()}


def answers_filtered() -> dict[str, Any]:
    """Return the per-route configuration of a route whose answers are filtered."""
    return {ANSWERS: answers_enabled()}


def _path_state() -> Any:
    path = filter_state_value.FilterStateValue(
        object_key=PATH_STATE,
        factory_key="envoy.string",
        format_string=core.SubstitutionFormatString(
            text_format_source=core.DataSource(inline_string="%PATH(NQ)%")
        ),
    )
    return Packed(filter_state.Config(on_request_headers=[path]))


def _health_check() -> Any:
    return Packed(
        health_check.HealthCheck(
            pass_through_mode=False,
            headers=[
                header_is(":method", "GET"),
                # A query is none of the path's; `:path` has both.
                route.HeaderMatcher(
                    name=":path", string_match=matching(rf"{names.PATH_HEALTH}(\?.*)?")
                ),
            ],
        )
    )


def body_buffer(max_request_bytes: int) -> Any:
    """Return the filter that holds a request until its body is whole; a larger one is refused."""
    return Packed(buffer.Buffer(max_request_bytes=max_request_bytes))
