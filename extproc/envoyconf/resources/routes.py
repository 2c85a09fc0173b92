"""Routes of a listener: to an agent by the processor's header, and nowhere without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route

from extproc import names
from extproc.envoyconf.resources.destinations import removed_headers, route_action
from extproc.envoyconf.resources.headers import header_option
from extproc.envoyconf.resources.http_filters import answers_filtered, buffer_disabled
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.topology import AgentListener, AgentRoute
from extproc.errors import GATEWAY_ERRORS

_API_ROOT: Final = "/v1/"
_NOWHERE: Final = route.DirectResponseAction(status=GATEWAY_ERRORS["no_route"].status)
"""What an undecided request meets. Its body comes from the local replies."""


def route_configuration(listener: AgentListener) -> route.RouteConfiguration:
    """Return the routes to the agents that `listener` offers, and to no other."""
    agents = [_to_agent(each) for each in listener.routes]
    everything = route.VirtualHost(
        name="agents",
        domains=["*"],
        routes=[*agents, *_undecided()],
        # Envoy's own note on the client's address, which says nothing to an agent.
        request_headers_to_remove=["x-envoy-internal"],
    )
    return route.RouteConfiguration(name=listener.name, virtual_hosts=[everything])


def _to_agent(route_to: AgentRoute) -> route.Route:
    to, filtered = route_to.to, route_to.filtered
    action = route_action(to, rewrite_prefix=_API_ROOT)
    # Filters must be able to read the answer.
    readable = [header_option("accept-encoding", "identity")] if filtered else []
    return route.Route(
        name=f"agent/{route_to.agent}",
        match=route.RouteMatch(
            prefix=_API_ROOT,
            headers=[header_is(names.HEADER_AGENT, route_to.agent)],
        ),
        route=replace(action, append_x_forwarded_host=True),
        typed_per_filter_config=answers_filtered() if filtered else {},
        request_headers_to_add=readable,
        request_headers_to_remove=removed_headers(to),
    )


def _undecided() -> list[route.Route]:
    """Return the routes a request has before the decision.

    Only bodies that can be a conversation are waited for: all else is refused at the headers.
    """
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
        *(route.Route(match=match, direct_response=_NOWHERE) for match in conversations),
        *(
            route.Route(
                match=match, direct_response=_NOWHERE, typed_per_filter_config=buffer_disabled()
            )
            for match in others
        ),
    ]
