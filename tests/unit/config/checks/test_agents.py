from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.config.load import Loaded

LISTENERS = """
listeners:
  - {name: l, port: 1, agents: [{id: a}]}
"""


def file(agents: str) -> str:
    return f"version: v1\nagents:\n{agents}{LISTENERS}"


def test_every_way_to_reach_an_agent_is_fine_by_itself(read: Callable[..., object]) -> None:
    read(
        file("""
  - {id: a, url: "http://h:1/p"}
  - {id: b, endpoints: ["http://h:1/p", "http://h:2/p/"], failover: ["http://h:3/p"]}
  - {id: c, variants: [{id: x, weight: 0, url: "http://h:1"}, {id: y, weight: 5, url: "https://g"}]}
  - {id: d, cluster: "outbound|80||x"}
  - {id: e, service: "agents.travel:8080"}
""")
    )


@pytest.mark.parametrize(
    "agent",
    [
        "{id: a, url: 'http://h', ►endpoints: ['http://h']}",
        "{id: a, url: 'http://h', ►cluster: c}",
        "{id: a, url: 'http://h', ►service: 'a.b:1'}",
        "{id: a, ►variants: [{id: v, weight: 1, url: 'http://h'}], url: 'http://h'}",
        "►{id: a}",
    ],
)
def test_an_agent_has_exactly_one_place(expect_errors: Callable[..., None], agent: str) -> None:
    expect_errors(file(f"  - {agent}"), "exactly one of url, endpoints, variants, cluster, service")


def test_failover_goes_with_an_upstream_of_its_own(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("  - {id: a, cluster: c, ►failover: ['http://h']}"), "goes with `url` or `endpoints`"
    )


def test_ids_of_enabled_agents_are_unique(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - {id: a, url: "http://h:1"}
  - {id: ►a, url: "http://h:2"}
  - {id: a, url: "http://h:3", enabled: false}
"""),
        "the same id as agents[0].id",
    )


def test_hosts_of_an_agent_have_one_scheme_and_path(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - id: a
    endpoints: [http://h:1/p, ►http://h:2/q, http://h:3/p/]
    failover: [►https://h:4/p]
  - id: b
    variants:
      - {id: x, weight: 1, url: http://h:1/p}
      - {id: y, weight: 1, endpoints: [►http://h:2]}
"""),
        "the same path",
        "the same scheme",
        "the same path",
    )


def test_copies_go_to_the_path_of_the_agent(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - {id: a, url: http://h:1/p, mirror: {url: ►http://m/q}}
  - {id: b, url: http://h:1/p, mirror: {url: http://m}}
  - {id: c, cluster: c, mirror: {url: http://m/q}}
"""),
        "the path of the agent",
    )


def test_variants_have_ids_weights_and_places(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - id: a
    ►variants:
      - {id: x, weight: 0, url: "http://h"}
      - {id: ►x, weight: 0, url: "http://h"}
      - ►{id: z, weight: 0}
      - ►{id: w, weight: 0, url: "http://h", endpoints: ["http://h"]}
"""),
        "add up to 0",
        "the same id as agents[0].variants[0].id",
        "exactly one of url, endpoints",
        "exactly one of url, endpoints",
    )


@pytest.mark.parametrize("policy", ["round_robin", "least_request", "random"])
def test_affinity_needs_a_policy_that_hashes(
    expect_errors: Callable[..., None], policy: str
) -> None:
    two = "endpoints: ['http://h:1', 'http://h:2'], session_affinity: {header: x-user}"
    expect_errors(
        file(f"  - {{id: a, {two}, load_balancing: ►{policy}}}"), "needs load_balancing ring_hash"
    )


def test_affinity_without_a_policy_is_a_fault_too(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - id: a
    endpoints: [http://h:1, http://h:2]
    session_affinity: ►{header: x-user}
"""),
        "needs load_balancing ring_hash or maglev",
    )


@pytest.mark.parametrize(
    "hosts",
    [
        "url: 'http://h:1'",
        "endpoints: ['http://h:1', 'http://h:2'], load_balancing: maglev",
        "variants: [{id: x, weight: 1, endpoints: ['http://h:1', 'http://h:2']}]",
    ],
)
def test_affinity_that_has_an_effect(read: Callable[..., object], hosts: str) -> None:
    read(file(f"  - {{id: a, {hosts}, session_affinity: {{header: x-user}}}}"))


def test_a_fallback_is_another_agent(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("""
  - {id: a, url: "http://h:1", fallback: ►a}
  - {id: weather, url: "http://h:2", fallback: ►wether}
  - {id: c, url: "http://h:3", fallback: a}
"""),
        "cannot take over for itself",
        "no entry of `agents` has the id 'wether' (did you mean 'weather'?)",
    )


def test_a_client_certificate_has_a_key(expect_errors: Callable[..., None]) -> None:
    expect_errors(file("  - {id: a, url: 'https://h', ►tls: {certificate: c.pem}}"), "go together")


def test_certificates_that_nobody_looks_at_are_told(read: Callable[..., Loaded]) -> None:
    agents = file("""
  - {id: a, url: "http://h:1", tls: {ca: c.pem}}
  - {id: b, url: "https://h:1", tls: {ca: c.pem}}
  - {id: c, url: "http://h:1", tls: {}}
""")
    [warning] = read(agents).warnings
    assert warning.message == "agents[0].tls: has no effect: the url is not https"


def test_nothing_is_said_about_disabled_agents(read: Callable[..., object]) -> None:
    read(file("  - {id: a, url: 'http://h'}\n  - {id: b, enabled: false, fallback: nobody}"))


def test_what_is_said_of_hosts_has_no_effect_where_the_gateway_knows_them(
    expect_warnings: Callable[..., None],
) -> None:
    expect_warnings(
        file("  - {id: a, cluster: theirs, ►http2: true, timeout: 3s, ►health_check: {}}"),
        "agents[0].http2: has no effect with `cluster`",
        "agents[0].health_check: has no effect with `cluster`",
    )


def test_a_key_is_sent_by_a_cluster_of_ours_alone(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        file("  - {id: a, cluster: theirs, ►access_key: k, ►headers: {x-team: a}}"),
        "agents[0].access_key: cannot go with `cluster`",
        "agents[0].headers: cannot go with `cluster`",
    )
