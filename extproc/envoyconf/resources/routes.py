"""Routes of a listener: to an agent by the processor's header, and nowhere without it."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route

from extproc import names
from extproc.envoyconf.resources.headers import header_option
from extproc.envoyconf.resources.http_filters import answers_filtered, buffer_disabled
from extproc.envoyconf.resources.matchers import header_is
from extproc.envoyconf.resources.retries import agent_retries
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


def _to_agent(to: AgentRoute) -> route.Route:
    return route.Route(
        name=f"agent/{to.agent}",
        match=route.RouteMatch(
            prefix=_API_ROOT,
            headers=[header_is(names.HEADER_AGENT, to.agent)],
        ),
        route=route.RouteAction(
            cluster=to.cluster,
            prefix_rewrite=to.path_prefix + _API_ROOT if to.path_prefix else "",
            host_rewrite_literal=to.authority,
            append_x_forwarded_host=True,
            timeout=to.timeout,
            idle_timeout=to.idle_timeout,
            retry_policy=agent_retries(to.retries),
        ),
        typed_per_filter_config=answers_filtered() if to.filtered else {},
        # Filters must be able to read it.
        request_headers_to_add=(
            [header_option("accept-encoding", "identity")] if to.filtered else []
        ),
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
