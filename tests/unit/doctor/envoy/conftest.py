"""The configuration of an Envoy with our filter, as its admin shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from extproc import names

Json = dict[str, Any]
PREFIX = "type.googleapis.com/envoy"
RULES = "^(x-outerloop-[a-z0-9-]+|content-length|content-type|allow|traceparent|outerloop-hops)$"


def ext_proc(**values: Any) -> Json:
    modes = {
        "request_body_mode": "BUFFERED",
        "request_trailer_mode": "SEND",
        "response_header_mode": "SKIP",
    }
    return {
        "@type": f"{PREFIX}.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "outerloop"}},
        "processing_mode": modes,
        "message_timeout": "32s",
        "max_message_timeout": "3600s",
        "mutation_rules": {"disallow_all": True, "allow_expression": {"regex": RULES}},
        **values,
    }


def of_answers() -> Json:
    modes = dict.fromkeys(("request_header_mode", "response_header_mode"), "SKIP")
    return ext_proc(processing_mode=modes)


def buffer(size: int) -> Json:
    kind = f"{PREFIX}.extensions.filters.http.buffer.v3.Buffer"
    return {"@type": kind, "max_request_bytes": size}


def matched(config: Json) -> Json:
    """Wrap a filter in what skips it for some requests."""
    kind = f"{PREFIX}.extensions.common.matching.v3.ExtensionWithMatcher"
    return {"@type": kind, "extension_config": {"name": "x", "typed_config": config}}


def route(agent: str) -> Json:
    header = {"name": names.HEADER_AGENT, "string_match": {"exact": agent}}
    return {"match": {"prefix": "/v1/", "headers": [header]}, "route": {"cluster": agent}}


def manager(*filters: tuple[str, Json], **values: Any) -> Json:
    removed = {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": names.SPOOFED_HEADERS}}}}
    told = {"append": {"header": {"key": names.HEADER_LISTENER, "value": "travel"}}}
    kind = f"{PREFIX}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    every = filters or (("buffer", buffer(32 * 2**20)), ("ext_proc", ext_proc()))
    return {
        "@type": kind,
        "early_header_mutation_extensions": [{"typed_config": {"mutations": [removed, told]}}],
        "http_filters": [{"name": name, "typed_config": config} for name, config in every],
        "route_config": {"virtual_hosts": [{"routes": [route("weather"), route("flights")]}]},
        **values,
    }


def dump(*managers: Json, **listener: Any) -> Json:
    """A whole dump: a static listener for the first manager, and discovered ones for others."""
    listeners = [
        {"name": f"l{number}", "filter_chains": [{"filters": [{"typed_config": each}]}], **listener}
        for number, each in enumerate(managers, 1)
    ]
    http2: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
    options = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2}
    checks: list[Json] = [{"grpc_health_check": {}}]
    cluster = {
        "name": "outerloop",
        "typed_extension_protocol_options": options,
        "health_checks": checks,
    }
    return {
        "configs": [
            {"@type": f"{PREFIX}.admin.v3.BootstrapConfigDump"},
            {
                "@type": f"{PREFIX}.admin.v3.ListenersConfigDump",
                "static_listeners": [{"listener": each} for each in listeners[:1]],
                "dynamic_listeners": [
                    {"active_state": {"listener": each}} for each in listeners[1:]
                ],
            },
            {
                "@type": f"{PREFIX}.admin.v3.ClustersConfigDump",
                "static_clusters": [{"cluster": cluster}],
                "dynamic_active_clusters": [{"cluster": {"name": "weather"}}],
            },
        ]
    }


@pytest.fixture
def make_ext_proc() -> Callable[..., Json]:
    """An ext_proc filter as rendered; keywords replace settings."""
    return ext_proc


@pytest.fixture
def make_of_answers() -> Callable[[], Json]:
    """The filter of answers, which sees no request."""
    return of_answers


@pytest.fixture
def make_buffer() -> Callable[[int], Json]:
    return buffer


@pytest.fixture
def make_matched() -> Callable[[Json], Json]:
    return matched


@pytest.fixture
def make_manager() -> Callable[..., Json]:
    """A connection manager with these filters (name, config); keywords replace settings."""
    return manager


@pytest.fixture
def make_dump() -> Callable[..., Json]:
    """What the admin shows of listeners with these managers; keywords are the listeners'."""
    return dump
