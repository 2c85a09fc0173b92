from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.manifests.envoy_gateway.conftest import Rendered

    Render = Callable[..., Rendered]

A = {"id": "a", "url": "http://10.0.0.1"}
QUIET = {"observability": {"access_log": None}}


def test_what_is_always_to_be_known(rendered: Render) -> None:
    switches, errors = rendered(A, **QUIET).manifests.notes
    assert "enableBackend" in switches
    assert "enableEnvoyPatchPolicy" in switches
    assert errors.startswith("errors of Envoy's own")


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"fallback": "b"}, "fallback:"),
        ({"retries": {"retry_on": ["envoy-ratelimited", 503]}}, "retries.retry_on:"),
        ({"load_balancing": "ring_hash"}, "load_balancing: ring_hash"),
        ({"session_affinity": {"header": "x-user"}, "load_balancing": "ring_hash"}, "session_"),
        ({"mirror": {"url": "http://10.0.0.9"}}, "mirror:"),
        ({"url": "http://localhost:1"}, "url:"),
        ({"url": "http://weather:80"}, "url:"),
        ({"url": None, "service": "x.y:80", "http2": True}, "http2:"),
        ({"access_key": "$KEY", "failover": ["http://10.9.0.1"]}, "failover:"),
    ],
)
def test_a_key_that_does_something_else_is_named(
    rendered: Render, keys: dict[str, Any], note: str
) -> None:
    agent = {key: value for key, value in {**A, **keys}.items() if value is not None}
    found = rendered(agent, {**A, "id": "b"}, environ={"KEY": "sesame"}, **QUIET)
    assert found.note(f"agents[a].{note}")
    assert found.notes("agents[b].") == []


@pytest.mark.parametrize(
    "keys",
    [
        {"load_balancing": "maglev", "session_affinity": {"header": "x-user"}},
        {"failover": ["http://10.9.0.1"]},
        {"url": "http://[2001:db8::1]:80"},
    ],
)
def test_what_works_as_it_is_has_no_note(rendered: Render, keys: dict[str, Any]) -> None:
    assert rendered({**A, **keys}, **QUIET).notes("agents[a].") == []


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"orchestrator": {"avoid_unavailable": True}}, "orchestrator.avoid_unavailable:"),
        ({"limits": {"decompress": ["gzip"]}}, "limits.decompress:"),
        ({"tracing": {"otlp_endpoint": "http://10.0.0.7:4317"}}, "tracing:"),
        ({"envoy": {"clusters": [{"name": "x"}]}}, "envoy:"),
        ({"egress": {"url": "http://e.x:80"}}, "egress.url:"),
        ({"observability": {}}, "observability.access_log:"),
    ],
)
def test_keys_of_the_whole_file_are_named(
    rendered: Render, keys: dict[str, Any], note: str
) -> None:
    assert rendered(A, **{**QUIET, **keys}).note(note)


def test_secrets_are_to_be_created_by_their_names(rendered: Render) -> None:
    found = rendered({**A, "access_key": "$KEY"}, environ={"KEY": "sesame"}, **QUIET)
    notes = found.notes("agents[a].access_key:")
    assert len(notes) == 2
    for note in notes:
        name = note.split("secret generic ")[1].split()[0]
        assert name in found.names("HTTPRouteFilter")
        assert "-n default" in note
    assert "sesame" not in str(notes)


def test_certificates_are_to_be_created_from_their_files(rendered: Render) -> None:
    tls = {"certificate": "c.pem", "key": "k.pem", "client_ca": "ca.pem"}
    agents = {"ca": "ca.pem", "certificate": "c.pem", "key": "k.pem"}
    own = {"id": "a", "url": "https://a.example.com", "tls": agents}
    found = rendered(own, listener={"tls": tls}, **QUIET)
    assert "c.pem --key=" in found.note("listeners[travel].tls:")
    assert "--from-file=ca.crt=" in found.note("listeners[travel].tls.client_ca:")
    assert "--from-file=ca.crt=" in found.note("agents[a].tls.ca:")
    assert "k.pem" in found.note("agents[a].tls.certificate:")


def test_answers_that_pass_for_the_sake_of_others_are_named(rendered: Render) -> None:
    agents = [{"id": "a", "output_filters": ["pii"]}, {"id": "b"}]
    filters = [{"id": "pii", "type": "builtin", "use": "pii"}]
    found = rendered(A, {**A, "id": "b"}, listener={"agents": agents}, filters=filters, **QUIET)
    assert "of a have" in found.note("listeners[travel].agents:")
