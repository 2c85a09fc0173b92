from __future__ import annotations

from collections.abc import Callable

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
