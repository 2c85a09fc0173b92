from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from extproc.address import PipeAddress
from extproc.config.model.agents import Agent
from extproc.envoyconf.fallbacks import (
    chain_clusters,
    chain_destination,
    chain_of,
    hop_destinations,
)
from extproc.envoyconf.upstreams import Chain, Hop, Takeover

MINUTE = timedelta(minutes=1)


def agents(**fallbacks: str | None) -> dict[str, Agent]:
    return {
        name: Agent.model_validate({"id": name, "url": f"http://{name}/{name}", "fallback": other})
        for name, other in fallbacks.items()
    }


def agent(**keys: Any) -> Agent:
    return Agent.model_validate({"id": "a", "url": "http://a", "fallback": "b", **keys})


@pytest.mark.parametrize(
    ("fallbacks", "chain"),
    [
        ({"a": None}, ["a"]),
        ({"a": "b", "b": None}, ["a", "b"]),
        ({"a": "b", "b": "c", "c": None}, ["a", "b", "c"]),
        ({"a": "b", "b": "a"}, ["a", "b"]),
    ],
)
def test_each_agent_of_a_chain_is_tried_once(
    fallbacks: dict[str, str | None], chain: list[str]
) -> None:
    known = agents(**fallbacks)
    assert [each.id for each in chain_of(known["a"], known)] == chain


def test_a_chain_leads_to_hops_that_lead_to_the_agents() -> None:
    chain = tuple(agents(a="b", b=None).values())
    egress = PipeAddress("/egress")
    assert list(chain_clusters(chain, egress)) == [
        Chain("chain/a", ("hop.a", "takeover.b")),
        Hop("hop.a", "hop.a", egress),
        Hop("takeover.b", "takeover.b", egress),
    ]
    ways = list(hop_destinations(chain, MINUTE))
    assert [(target, each.id, to.path_prefix) for target, each, to in ways] == [
        ("hop.a", "a", "/a"),
        ("takeover.b", "b", "/b"),
    ]


def test_every_agent_of_a_chain_may_take_its_time() -> None:
    chain = (agent(timeout="10s"), agent(id="b", idle_timeout="20m"))
    to = chain_destination(chain, MINUTE)
    assert (to.timeout, to.idle_timeout) == (timedelta(seconds=70), timedelta(minutes=20))
    # Envoy's word for no timeout: the caller keeps the time.
    assert chain_destination(chain, timedelta()).timeout == timedelta()


@pytest.mark.parametrize(
    ("retries", "statuses", "errors"),
    [
        ({}, (), ("no_healthy_upstream", "upstream_unreachable")),
        ({"retry_on": [503, 429]}, (503, 429), ("no_healthy_upstream", "upstream_unreachable")),
        (
            {"retry_on": ["reset"]},
            (),
            ("no_healthy_upstream", "upstream_unreachable", "upstream_reset"),
        ),
        (
            {"retry_on": ["gateway-error"], "per_try_timeout": "1s"},
            (502, 503, 504),
            ("no_healthy_upstream", "upstream_unreachable", "upstream_timeout"),
        ),
    ],
)
def test_an_agent_is_down_by_what_it_would_be_asked_again_for(
    retries: dict[str, Any], statuses: tuple[int, ...], errors: tuple[str, ...]
) -> None:
    to = chain_destination((agent(retries=retries), agent(id="b")), MINUTE)
    assert to.retries == Takeover(1, statuses, errors)
