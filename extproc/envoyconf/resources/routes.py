"""Routes of a listener: to an agent by the processor's header, and nowhere without it."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route

from extproc import names
from extproc.envoyconf.resources.destinations import removed_headers, route_action
from extproc.envoyconf.resources.headers import forwarded_host, header_option, if_absent
from extproc.envoyconf.resources.http_filters import (
    answers_filtered,
    buffer_disabled,
    failure_allowed,
)
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.topology import API_ROOT, AgentListener, AgentRoute
from extproc.errors import GATEWAY_ERRORS
from extproc.plan import Source

_NOWHERE: Final = route.DirectResponseAction(status=GATEWAY_ERRORS["no_route"].status)
"""What an undecided request meets. Its body comes from the local replies."""


def route_configuration(listener: AgentListener) -> route.RouteConfiguration:
    """Return the routes to the agents that `listener` offers, and to no other."""
    agents = [_to_agent(each) for each in listener.routes]
    everything = route.VirtualHost(
        name="agents",
        domains=["*"],
        routes=[*agents, *_undecided(listener)],
        # Envoy's own note on the client's address, which says nothing to an agent.
        request_headers_to_remove=["x-envoy-internal"],
    )
    return route.RouteConfiguration(name=listener.name, virtual_hosts=[everything])


def _to_agent(route_to: AgentRoute) -> route.Route:
    filtered = route_to.filtered
    # Filters must be able to read the answer.
    readable = [header_option("accept-encoding", "identity")] if filtered else []
    return route.Route(
        name=f"agent/{route_to.agent}",
        match=route.RouteMatch(
            prefix=API_ROOT,
            headers=[header_is(names.HEADER_AGENT, route_to.agent)],
        ),
        route=route_action(route_to.to, rewrite_prefix=API_ROOT),
        typed_per_filter_config=answers_filtered() if filtered else {},
        request_headers_to_add=[forwarded_host(), *readable],
        request_headers_to_remove=removed_headers(route_to.to),
    )


def _undecided(listener: AgentListener) -> list[route.Route]:
    """Return the routes a request has before the decision.

    Only bodies that can be a conversation are waited for: all else is refused at the headers.
    """
    unasked = next((each for each in listener.routes if each.agent == listener.unasked), None)
    conversations = [
        route.RouteMatch(path=path, headers=[header_is(":method", "POST")])
        for path in (names.PATH_CHAT, names.PATH_MESSAGES, names.PATH_RESPONSES)
    ]
    others = [
        route.RouteMatch(prefix="/"),
        # CONNECT has no path, so that no prefix matches it.
        route.RouteMatch(connect_matcher=route.RouteMatchConnectMatcher()),
    ]
    return [
        *(
            _to_default_agent(match, unasked)
            if unasked is not None
            else route.Route(match=match, direct_response=_NOWHERE)
            for match in conversations
        ),
        *(
            route.Route(
                match=match, direct_response=_NOWHERE, typed_per_filter_config=buffer_disabled()
            )
            for match in others
        ),
    ]


def _to_default_agent(match: route.RouteMatch, to: AgentRoute) -> route.Route:
    """Return the route of what the processor could not be asked about; all else is routed anew."""
    told = {
        names.HEADER_AGENT: to.agent,
        names.HEADER_PLAN: to.agent,
        names.HEADER_SOURCE: Source.FALLBACK.value,
    }
    to_agent = [header_option(*each) for each in (*told.items(), (names.HEADER_STEP, "1/1"))]
    return route.Route(
        name="unasked",
        match=match,
        route=route_action(to.to, rewrite_prefix=match.path or ""),
        typed_per_filter_config=failure_allowed(),
        request_headers_to_add=[forwarded_host(), *to_agent],
        request_headers_to_remove=removed_headers(to.to),
        # Who takes over for it says so itself.
        response_headers_to_add=[if_absent(*each) for each in told.items()],
    )
