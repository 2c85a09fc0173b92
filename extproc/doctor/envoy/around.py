"""What the filter needs around it: early headers, buffers, routes, and its cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from extproc import names
from extproc.config.model.types import size_text
from extproc.doctor import fixes
from extproc.doctor.envoy.attachment import Attachment
from extproc.doctor.envoy.dump import Json
from extproc.doctor.envoy.matching import matches, removes
from extproc.doctor.envoy.probing import probe
from extproc.doctor.expected import Expected
from extproc.doctor.probe import Finding, ok, unknown, wrong

_FORGED: Final = (
    names.HEADER_AGENT,
    names.HEADER_PLAN,
    names.HEADER_TARGET,
    names.HEADER_TAG + "x",
    "x_outerloop_agent",
)
_UNDERSCORES_REFUSED: Final = frozenset(("REJECT_REQUEST", "DROP_HEADER"))
_DEFAULT_BUFFER: Final = 2**20
_HTTP2_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def early_headers(attachment: Attachment, expected: Expected) -> Finding:
    """Look whether what clients may not say is removed before the route is chosen."""
    refused = attachment.manager.get("common_http_protocol_options", {}).get(
        "headers_with_underscores_action"
    )
    kept = [
        name
        for name in _FORGED
        if not any(removes(each, name) for each in attachment.mutations)
        and not ("_" in name and refused in _UNDERSCORES_REFUSED)
    ]
    if kept:
        return wrong(f"early_header_mutation_extensions keep {', '.join(kept)}")
    told = attachment.told_listener
    if expected.listener is not None and told is None:
        return wrong(f"nothing sets {names.HEADER_LISTENER}, and the file has several listeners")
    return ok("x-outerloop-* is removed early" + (f", and listener {told} is told" if told else ""))


def buffers(attachment: Attachment, expected: Expected) -> Finding:
    """Compare what Envoy holds of a request with what the file allows."""
    held, why = _held(attachment)
    limit = expected.max_request_bytes
    seen = f"bodies up to {size_text(held)}, by {why}"
    if limit is not None and held < limit:
        return wrong(f"{seen}; the file allows {size_text(limit)}")
    if limit is None and held <= _DEFAULT_BUFFER:
        return unknown(f"{seen}: -c says whether that is enough")
    return ok(seen)


def _held(attachment: Attachment) -> tuple[int, str]:
    """Return how many bytes of a body can get to the processor, and what says so."""
    first = attachment.deciding[0].name
    for each in attachment.filters:
        if each.name == first:
            break
        if each.kind == "Buffer" and not each.disabled:
            return int(each.config.get("max_request_bytes", 0)), f"max_request_bytes of {each.name}"
    limit = attachment.listener.get("per_connection_buffer_limit_bytes")
    if limit is None:
        return _DEFAULT_BUFFER, "the default of per_connection_buffer_limit_bytes"
    return int(limit), "per_connection_buffer_limit_bytes"


def routes(attachment: Attachment, expected: Expected) -> Finding:
    """Look for a route to each agent."""
    matchers = list(_by_agent(attachment))
    if not expected.agents:
        return unknown(f"{len(matchers)} routes by {names.HEADER_AGENT}")
    lost = [
        agent
        for agent in expected.agents
        if not any(matches(matcher, agent) for matcher in matchers)
    ]
    if lost and not expected.observes:
        return wrong(f"no route for {', '.join(lost)}")
    return ok(f"a route by {names.HEADER_AGENT} for each of {len(expected.agents)} agents")


def _by_agent(attachment: Attachment) -> Iterator[Json]:
    for route in attachment.routes:
        for header in route.get("match", {}).get("headers", ()):
            if header.get("name", "").lower() == names.HEADER_AGENT:
                yield header.get("string_match", {"exact": header.get("exact_match", "")})


def cluster(attachment: Attachment, _expected: Expected) -> Finding:
    """Look at the way to the processor."""
    service = attachment.deciding[0].config.get("grpc_service", {})
    name = service.get("envoy_grpc", {}).get("cluster_name")
    if name is None:
        return unknown("google_grpc: without Envoy's health checks and balancing")
    found = attachment.clusters.get(name)
    if found is None:
        return wrong(f"cluster {name} is not there")
    options = found.get("typed_extension_protocol_options", {}).get(_HTTP2_OPTIONS, {})
    explicit = options.get("explicit_http_config", {})
    if "http2_protocol_options" not in {**found, **explicit} and "auto_config" not in options:
        return wrong(f"cluster {name} speaks HTTP/1.1")
    checked = any("grpc_health_check" in each for each in found.get("health_checks", ()))
    return ok(f"cluster {name}, {'with' if checked else 'without'} gRPC health checks")


PROBES: Final = (
    probe("envoy-early-headers", early_headers, fixes.STRIPPED),
    probe("envoy-buffers", buffers, fixes.BODIES),
    probe("envoy-routes", routes, fixes.ROUTED),
    probe("envoy-cluster", cluster, fixes.CLUSTER),
)
