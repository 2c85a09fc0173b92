from __future__ import annotations

import re

import pytest

from extproc import names


@pytest.mark.parametrize("agent", ["a", "weather_agent", "GPT-4o-mini", "x" * 64])
def test_agent_ids(agent: str) -> None:
    assert names.AGENT_ID.fullmatch(agent)


@pytest.mark.parametrize("agent", ["", "a b", "a,b", "a/b", "a.b", "é", "a\n", "x" * 65])
def test_no_agent_ids(agent: str) -> None:
    assert not names.AGENT_ID.fullmatch(agent)


@pytest.mark.parametrize(
    "header",
    [
        names.HEADER_AGENT,
        "X-Outerloop-Agent",
        "x_outerloop_agent",
        "x-outerloop_anything",
        "X-ENVOY-upstream-rq-timeout-ms",
        "x_envoy_force_trace",
    ],
)
def test_headers_only_the_gateway_may_set(header: str) -> None:
    assert re.fullmatch(names.SPOOFED_HEADERS, header)


@pytest.mark.parametrize(
    "header",
    [
        names.HEADER_REQUEST_ID,
        names.HEADER_TRACEPARENT,
        names.HEADER_HOPS,
        "x_request_id",
        "x-outerloop",
        "my-x-outerloop-agent",
        "authorization",
    ],
)
def test_headers_clients_may_send(header: str) -> None:
    assert not re.fullmatch(names.SPOOFED_HEADERS, header)


def test_our_headers_share_the_prefix_and_are_lower_case() -> None:
    headers = {value for key, value in vars(names).items() if key.startswith("HEADER_")}
    foreign = {names.HEADER_REQUEST_ID, names.HEADER_TRACEPARENT, names.HEADER_HOPS}
    assert all(header.startswith(names.HEADER_PREFIX) for header in headers - foreign)
    assert all(header == header.lower() for header in headers)
