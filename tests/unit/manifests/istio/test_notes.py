from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]
HOSTS = ["http://10.0.0.1", "http://10.0.0.2"]


def notes(make: Make, *agents: dict[str, Any], **rest: Any) -> str:
    return "\n".join(make(*agents, **rest).notes)


def test_a_plain_file_has_to_be_reachable_and_nothing_else(make: Make) -> None:
    (only,) = make().notes
    assert only.startswith("listeners[travel].port: the Service of the gateway (istio-system")
    assert "8001" in only


@pytest.mark.parametrize(
    ("agent", "key"),
    [
        ({"url": "http://localhost:1"}, "agents[a]: localhost:1 is the gateway's own pod"),
        ({"endpoints": HOSTS}, "agents[a].endpoints: are called by the client's host name"),
        ({"url": HOSTS[0], "failover": HOSTS[1:]}, "agents[a].failover: Istio begins"),
        ({"url": HOSTS[0], "mirror": {"url": HOSTS[1]}}, "agents[a].mirror: copies have"),
        ({"url": HOSTS[0], "access_key": "$KEY"}, "agents[a].access_key: is not rendered: /etc/"),
        ({"url": HOSTS[0], "headers": {"x-a": "$KEY"}}, "agents[a].headers.x-a: is not rendered"),
        ({"url": "https://a.example.com", "tls": {"ca": "/ca.pem"}}, "agents[a].tls: /ca.pem"),
        (
            {
                "url": HOSTS[0],
                "failover": HOSTS[1:],
                "outlier_detection": {"consecutive_gateway_failure": 0},
            },
            "agents[a].failover: without outlier_detection",
        ),
    ],
)
def test_what_an_agent_does_not_get_is_said(make: Make, agent: dict[str, Any], key: str) -> None:
    assert key in notes(make, {"id": "a", **agent})


def test_no_agent_takes_over_for_another(make: Make) -> None:
    agents = [
        {"id": "a", "url": HOSTS[0], "fallback": "b"},
        {"id": "b", "url": HOSTS[1]},
    ]
    assert "agents[a].fallback: needs" in notes(make, *agents)


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ({"orchestrator": {"avoid_unavailable": True}}, "orchestrator.avoid_unavailable: "),
        ({"egress": {"url": "http://out:8080"}}, "egress.url: is a gateway of its own"),
        ({"egress": {"url": "https://out"}}, "the Secret outerloop-egress in istio-system"),
        ({"tracing": {"otlp_endpoint": "http://c:4317"}}, "tracing: is the processor's"),
        ({"observability": {"access_log": "stdout"}}, "observability.access_log: "),
        ({"observability": {"tokens": True}}, "observability.tokens: "),
        ({"listener": {"port": 80}}, "listeners[travel].port: gateway pods may not"),
        ({"listener": {"mode": "observe"}}, "listeners[travel].mode: no Gateway"),
        (
            {"deploy": {"gateway_class": "mesh"}},
            "clients call http://outerloop-listener-travel.default.svc.cluster.local:8001",
        ),
    ],
)
def test_what_the_mesh_settles_is_said(make: Make, rest: dict[str, Any], key: str) -> None:
    assert key in notes(make, **rest)


def test_the_secret_of_a_listener_is_named(make: Make) -> None:
    tls = {"certificate": "a", "key": "b", "client_ca": "c"}
    said = notes(make, listener={"tls": tls})
    where = "the Secret outerloop-listener-travel in istio-system: tls.crt and tls.key, and ca.crt"
    assert where in said
    assert "tls: is not rendered" in notes(
        make, listener={"tls": tls}, deploy={"gateway_class": "mesh"}
    )


def test_no_secret_is_in_them(make: Make) -> None:
    agent = {"id": "a", "url": HOSTS[0], "access_key": "$KEY"}
    assert "hush" not in notes(make, agent, environ={"KEY": "hush"})
