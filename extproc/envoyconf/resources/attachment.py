"""What an Envoy that exists needs of ours, beside the listeners and routes that it has.

Requests of others must not notice: every filter is off but on the routes of conversations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.apis.errors import error_body
from extproc.config.model.root import Limits
from extproc.envoyconf.resources.ext_proc import (
    answer_processor,
    decided_by_another_worker,
    external_processor,
    whole_requests,
)
from extproc.envoyconf.resources.headers import early_mutation, header_option, told_by_route
from extproc.envoyconf.resources.http_filters import (
    ANSWERS,
    BUFFER,
    DECIDED,
    PROCESSOR,
    SLOT_AFTER,
    SLOT_BEFORE,
    body_buffer,
    buffer_enabled,
)
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.resources.routes import routes_to_agents
from extproc.envoyconf.topology import AgentListener, Topology
from extproc.errors import GATEWAY_ERRORS, Reject

_NO_ROUTE: Final = GATEWAY_ERRORS["no_route"]


def stripping(listener: AgentListener) -> core.TypedExtensionConfig:
    """Return the mutation that takes away what clients forge, and nothing of the gateway's own."""
    return early_mutation(listener.name, removed=names.OWN_HEADERS)


def attached_filters(listener: AgentListener, topology: Topology) -> list[hcm.HttpFilter]:
    """Return the filters that go before the router, in this order."""
    limits = topology.limits
    filters = [
        hcm.HttpFilter(name=SLOT_BEFORE),
        _off(BUFFER, body_buffer(limits.max_request_bytes)),
        _off(DECIDED, external_processor(listener)),
    ]
    if listener.observed_by is None:
        filters.append(_off(PROCESSOR, decided_by_another_worker(listener)))
        filters.append(hcm.HttpFilter(name=SLOT_AFTER))
        # Does nothing but where an agent's route asks for it.
        filters.append(hcm.HttpFilter(name=ANSWERS, typed_config=answer_processor()))
    return filters


def _off(name: str, config: Any) -> hcm.HttpFilter:
    return hcm.HttpFilter(name=name, typed_config=config, disabled=True)


def filters_on(listener: AgentListener, limits: Limits) -> dict[str, Any]:
    """Return the per-route configuration of a route whose requests are decided."""
    asking = (DECIDED,) if listener.observed_by is not None else (DECIDED, PROCESSOR)
    return buffer_enabled(limits.max_request_bytes) | dict.fromkeys(asking, whole_requests())


def attached_routes(listener: AgentListener, topology: Topology) -> list[route.Route]:
    """Return the routes that go before all others: of what is decided, and what is to be."""
    told = told_by_route(topology.response_headers)
    decided = [replace(each, response_headers_to_add=told) for each in routes_to_agents(listener)]
    enabled = filters_on(listener, topology.limits)
    conversations = [_undecided(path, "POST", enabled) for path in names.PATHS]
    models = {DECIDED: whole_requests(), PROCESSOR: whole_requests()}
    return [*decided, *conversations, _undecided(names.PATH_MODELS, "GET", models)]


def _undecided(path: str, method: str, enabled: dict[str, Any]) -> route.Route:
    """Return the route of what the processor is asked about: undecided, it leads nowhere."""
    reject = Reject(_NO_ROUTE.status, _NO_ROUTE.code, _NO_ROUTE.message)
    return route.Route(
        name=f"undecided{path}",
        match=route.RouteMatch(path=path, headers=[header_is(":method", method)]),
        direct_response=route.DirectResponseAction(
            status=_NO_ROUTE.status,
            body=core.DataSource(inline_string=error_body(path, reject).decode()),
        ),
        response_headers_to_add=[
            header_option("content-type", "application/json"),
            header_option(names.HEADER_ERROR, _NO_ROUTE.code),
        ],
        typed_per_filter_config=enabled,
    )
