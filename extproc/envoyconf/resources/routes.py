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
from extproc.plan import Source

VIRTUAL_HOST: Final = "agents"

_NOWHERE: Final = "outerloop.nowhere"
"""A cluster that is not there: what an undecided request meets is one of the local replies.

To a direct response filters such as CORS do nothing.
"""


def route_configuration(listener: AgentListener) -> route.RouteConfiguration:
    """Return the routes to the agents that `listener` offers, and to no other."""
    everything = route.VirtualHost(
        name=VIRTUAL_HOST,
        domains=["*"],
        routes=[*routes_to_agents(listener), *_undecided(listener)],
        # Envoy's own note on the client's address, which says nothing to an agent.
        request_headers_to_remove=["x-envoy-internal"],
    )
    return route.RouteConfiguration(
        name=listener.name, virtual_hosts=[everything], validate_clusters=False
    )


def routes_to_agents(listener: AgentListener) -> list[route.Route]:
    """Return the routes of requests that are decided."""
    return [_to_agent(each) for each in listener.routes]


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
        # Our own clusters drop all of them, by a filter.
        response_headers_to_remove=list(names.RESPONSE_HEADERS) if route_to.to.foreign else [],
    )


def _undecided(listener: AgentListener) -> list[route.Route]:
    """Return the routes a request has before the decision.

    Only bodies that can be a conversation are waited for: all else is refused at the headers.
    """
    default = {each.agent: each for each in listener.routes}.get(
        listener.observed_by or listener.unasked or ""
    )
    conversations = [
        route.RouteMatch(path=path, headers=[header_is(":method", "POST")]) for path in names.PATHS
    ]
    others = [
        route.RouteMatch(prefix="/"),
        # CONNECT has no path, so that no prefix matches it.
        route.RouteMatch(connect_matcher=route.RouteMatchConnectMatcher()),
    ]
    return [
        *(
            _to_default_agent(match, default, observed=listener.observed_by is not None)
            if default is not None
            else route.Route(match=match, route=_nowhere())
            for match in conversations
        ),
        *(
            route.Route(match=match, route=_nowhere(), typed_per_filter_config=buffer_disabled())
            for match in others
        ),
    ]


def _nowhere() -> route.RouteAction:
    return route.RouteAction(cluster=_NOWHERE)


def _to_default_agent(match: route.RouteMatch, to: AgentRoute, *, observed: bool) -> route.Route:
    """Return the route of what the processor could not be asked about; all else is routed anew.

    Where decisions are only observed it is everybody's, and says what was decided.
    """
    if observed:
        return route.Route(
            name="observed",
            match=match,
            route=route_action(to.to, rewrite_prefix=match.path or ""),
            request_headers_to_add=[forwarded_host()],
            request_headers_to_remove=removed_headers(to.to),
        )
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
