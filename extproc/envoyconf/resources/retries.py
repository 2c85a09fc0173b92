"""When Envoy sends something again."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts import v3 as previous_hosts
from envoy_data_plane.envoy.extensions.retry.priority.previous_priorities import (
    v3 as previous_priorities,
)

from extproc.config.model.agents import Retries
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.matchers import matching
from extproc.envoyconf.upstreams import Takeover
from extproc.names import HEADER_ERROR

_PREVIOUS_HOSTS: Final = "envoy.retry_host_predicates.previous_hosts"
_SELECTION_ATTEMPTS: Final = 100
"""How often another host is drawn before one that failed is taken again.

Of two hosts `least_request` draws the dead one three times in four: nothing else runs there.
"""


def agent_retries(retries: Retries, *, failover: bool = False) -> route.RetryPolicy | None:
    """Return the policy of a route, on another host where there is one; None for one try alone.

    With `failover` a retry goes to the next group of hosts.
    """
    if not retries.num_retries or not retries.retry_on:
        # The only try has its limit all the same.
        limit = retries.per_try_timeout
        return route.RetryPolicy(num_retries=0, per_try_timeout=limit) if limit else None
    conditions = [each for each in retries.retry_on if isinstance(each, str)]
    statuses = [each for each in retries.retry_on if isinstance(each, int)]
    if statuses:
        conditions.append("retriable-status-codes")
    return route.RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=retries.num_retries,
        per_try_timeout=retries.per_try_timeout,
        retriable_status_codes=statuses,
        retry_priority=_next_group() if failover else None,
        retry_host_predicate=[
            route.RetryPolicyRetryHostPredicate(
                name=_PREVIOUS_HOSTS,
                typed_config=Packed(previous_hosts.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=_SELECTION_ATTEMPTS,
    )


def takeover_retries(takeover: Takeover) -> route.RetryPolicy:
    """Return the policy of a route to a chain: each try is another agent."""
    conditions = ["retriable-headers", *(["retriable-status-codes"] if takeover.statuses else [])]
    return route.RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=takeover.attempts,
        retriable_status_codes=list(takeover.statuses),
        retriable_headers=[
            route.HeaderMatcher(name=HEADER_ERROR, string_match=matching("|".join(takeover.errors)))
        ],
        retry_back_off=route.RetryPolicyRetryBackOff(
            base_interval=timedelta(milliseconds=1), max_interval=timedelta(milliseconds=10)
        ),
    )


def _next_group() -> route.RetryPolicyRetryPriority:
    return route.RetryPolicyRetryPriority(
        name="envoy.retry_priorities.previous_priorities",
        typed_config=Packed(previous_priorities.PreviousPrioritiesConfig(update_frequency=1)),
    )


def processor_retries() -> core.RetryPolicy:
    """Return when another worker is asked: only before the first one has answered anything."""
    return core.RetryPolicy(
        retry_on="connect-failure,refused-stream,reset,unavailable,reset-before-request",
        num_retries=3,
        retry_back_off=core.BackoffStrategy(
            base_interval=timedelta(milliseconds=20), max_interval=timedelta(milliseconds=100)
        ),
        retry_host_predicate=[
            core.RetryPolicyRetryHostPredicate(
                name=_PREVIOUS_HOSTS,
                typed_config=Packed(previous_hosts.PreviousHostsPredicate()),
            )
        ],
        host_selection_retry_max_attempts=_SELECTION_ATTEMPTS,
    )
