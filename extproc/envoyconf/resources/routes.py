"""Routes of a listener: to an agent by the processor's header, and nowhere without it."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts import v3 as previous_hosts
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.config.model.agents import Retries
from extproc.envoyconf.resources.http_filters import buffer_disabled
from extproc.envoyconf.topology import AgentListener, AgentRoute
from extproc.errors import GATEWAY_ERRORS

_API_ROOT: Final = "/v1/"
_NOWHERE: Final = route.DirectResponseAction(status=GATEWAY_ERRORS["no_route"].status)
"""What an undecided request meets. Its body comes from the local replies."""


def route_configuration(listener: AgentListener) -> route.RouteConfiguration:
    """Return the routes to the agents that `listener` offers, and to no other."""
    agents = [_to_agent(each) for each in listener.routes]
    everything = route.VirtualHost(name="agents", domains=["*"], routes=[*agents, *_undecided()])
    return route.RouteConfiguration(name=listener.name, virtual_hosts=[everything])


def _to_agent(to: AgentRoute) -> route.Route:
    return route.Route(
        name=f"agent/{to.agent}",
        match=route.RouteMatch(
            prefix=_API_ROOT,
            headers=[_header(names.HEADER_AGENT, to.agent)],
        ),
        route=route.RouteAction(
            cluster=to.cluster,
            prefix_rewrite=to.path_prefix + _API_ROOT if to.path_prefix else "",
            host_rewrite_literal=to.authority,
            append_x_forwarded_host=True,
            timeout=to.timeout,
            idle_timeout=to.idle_timeout,
            retry_policy=_retry_policy(to.retries),
        ),
    )


def _undecided() -> list[route.Route]:
    """Return the routes a request has before the decision.

    Only bodies that can be a conversation are waited for: all else is refused at the headers.
    """
    conversations = [
        route.Route(
            name=f"undecided{path}",
            match=route.RouteMatch(path=path, headers=[_header(":method", "POST")]),
            direct_response=_NOWHERE,
        )
        for path in (names.PATH_CHAT, names.PATH_MESSAGES, names.PATH_RESPONSES)
    ]
    rest = route.Route(
        name="undecided",
        match=route.RouteMatch(prefix="/"),
        direct_response=_NOWHERE,
        typed_per_filter_config=buffer_disabled(),
    )
    return [*conversations, rest]


def _retry_policy(retries: Retries) -> route.RetryPolicy | None:
    if not retries.num_retries or not retries.retry_on:
        return None
    statuses = [int(each) for each in retries.retry_on if str(each).isdigit()]
    conditions = [str(each) for each in retries.retry_on if not str(each).isdigit()]
    if statuses and "retriable-status-codes" not in conditions:
        conditions.append("retriable-status-codes")
    return route.RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=retries.num_retries,
        per_try_timeout=retries.per_try_timeout,
        retriable_status_codes=statuses,
        retry_host_predicate=[
            route.RetryPolicyRetryHostPredicate(
                name="envoy.retry_host_predicates.previous_hosts",
                typed_config=Any.pack(previous_hosts.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=5,
    )


def _header(name: str, value: str) -> route.HeaderMatcher:
    return route.HeaderMatcher(name=name, string_match=matcher.StringMatcher(exact=value))
