from __future__ import annotations

from collections.abc import Callable

import pytest

from extproc.config.load import Loaded

FILE = """
version: v1
agents: [{id: a, url: "http://h"}]
listeners: [{name: l, port: 1, agents: [{id: a}]}]
"""


def test_there_are_not_more_pods_at_least_than_at_most(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        FILE + "deploy: {replicas: 3, max_replicas: ►2}", "must not be less than replicas"
    )


def test_a_client_certificate_has_a_key(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        FILE + "deploy: {processor: {►tls: {san: p, certificate: c.pem}}}",
        "certificate and key go together",
    )


def test_a_cluster_has_a_name(expect_errors: Callable[..., None]) -> None:
    expect_errors(FILE + "envoy: {clusters: [►{type: STATIC}, {name: x}]}", "needs a `name`")


@pytest.mark.parametrize("name", ["p.example:9001", "localhost:9001"])
def test_a_unix_socket_does_not_stand_beside_a_name(
    expect_errors: Callable[..., None], name: str
) -> None:
    expect_errors(
        FILE + f"deploy: {{processor: {{addresses: [►'unix:/p.sock', '{name}']}}}}",
        "Envoy leaves a unix socket out where another address is a name",
    )


@pytest.mark.parametrize("other", ["10.0.0.1:9001", "[::1]:9001", "unix:/q.sock"])
def test_a_unix_socket_may_stand_beside_what_needs_no_resolving(
    read: Callable[..., Loaded], other: str
) -> None:
    loaded = read(FILE + f"deploy: {{processor: {{addresses: ['unix:/p.sock', '{other}']}}}}")
    assert loaded.config.deploy.processor.addresses == ("unix:/p.sock", other)


def test_a_unix_socket_has_no_tls(expect_errors: Callable[..., None]) -> None:
    expect_errors(
        FILE
        + "deploy: {processor: {tls: {san: p}, addresses: ['10.0.0.1:9001', ►'unix:/p.sock']}}",
        "the processor speaks no TLS on a unix socket",
    )
