"""Envoy's own spans: of each request, of each try of it, and of each call of the processor.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.trace import v3 as trace
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.tracers.opentelemetry.samplers import v3 as samplers
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.tracing import v3 as tags

from extproc import names
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import VARIANT_KEY
from extproc.envoyconf.topology import TRACING_CLUSTER, Tracing

_SERVICE: Final = "outerloop-envoy"
_EXPORT_TIMEOUT: Final = timedelta(seconds=5)
_MILLION: Final = 1_000_000
_OURS: Final = names.METADATA_NAMESPACE
_VARIANT: Final = f"%CLUSTER_METADATA({_OURS}:{VARIANT_KEY})%"
_AGENT: Final = f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_AGENT})%"
_OF_REQUESTS: Final = {
    "gen_ai.agent.id": _AGENT,
    "gen_ai.agent.name": _AGENT,
    "outerloop.agent": _AGENT,
    "outerloop.plan": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_PLAN})%",
    "outerloop.source": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_SOURCE})%",
    "outerloop.confidence": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_CONFIDENCE})%",
    "outerloop.filters": f"%DYNAMIC_METADATA({_OURS}:{names.METADATA_FILTERS})%",
    "outerloop.variant": _VARIANT,
    "outerloop.error": f"%RESP({names.HEADER_ERROR})%",
    "url.path": "%PATH(NQ)%",
}
_OF_CALLS: Final = {"outerloop.target": "%ROUTE_NAME%", "outerloop.variant": _VARIANT}


def of_requests(tracing: Tracing | None, listener: str) -> hcm.HttpConnectionManagerTracing | None:
    """Return how requests to a listener are traced."""
    operation = f"invoke_agent %REQ({names.HEADER_AGENT})%"
    more = {"gen_ai.operation.name": "invoke_agent", "outerloop.listener": listener}
    return _tracing(tracing, f"listener {listener}", operation, _OF_REQUESTS, more)


def of_calls(tracing: Tracing | None) -> hcm.HttpConnectionManagerTracing | None:
    """Return how calls of the processor are traced."""
    return _tracing(tracing, "egress", "%ROUTE_NAME%", _OF_CALLS, {})


def _tracing(
    tracing: Tracing | None,
    operation: str,
    upstream_operation: str,
    values: Mapping[str, str],
    literals: Mapping[str, str],
) -> hcm.HttpConnectionManagerTracing | None:
    if tracing is None:
        return None
    fixed = {**dict(tracing.attributes), **literals}
    return hcm.HttpConnectionManagerTracing(
        provider=trace.TracingHttp(
            name="envoy.tracers.opentelemetry", typed_config=Packed(_exporter(tracing))
        ),
        # `http.url` would have the query, in which clients may send keys.
        max_path_tag_length=0,
        spawn_upstream_span=True,
        operation=operation,
        upstream_operation=upstream_operation,
        custom_tags=[
            *(tags.CustomTag(tag=name, value=value) for name, value in values.items()),
            *(
                tags.CustomTag(tag=name, literal=tags.CustomTagLiteral(value=value))
                for name, value in fixed.items()
            ),
        ],
    )


def _exporter(tracing: Tracing) -> trace.OpenTelemetryConfig:
    collector, sampler = tracing.collector, _sampler(tracing.sampling)
    if collector.path is None:
        return trace.OpenTelemetryConfig(
            sampler=sampler,
            grpc_service=core.GrpcService(
                envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=TRACING_CLUSTER),
                timeout=_EXPORT_TIMEOUT,
            ),
            service_name=_SERVICE,
        )
    return trace.OpenTelemetryConfig(
        sampler=sampler,
        http_service=core.HttpService(
            http_uri=core.HttpUri(
                uri=collector.url, cluster=TRACING_CLUSTER, timeout=_EXPORT_TIMEOUT
            )
        ),
        service_name=_SERVICE,
    )


def _sampler(percent: float) -> core.TypedExtensionConfig:
    """Return who decides: whoever began the trace, else chance.

    Envoy's own choice is made by the request's id, and is no for ids that it has not made.
    """
    share = samplers.TraceIdRatioBasedSamplerConfig(
        sampling_percentage=type_v3.FractionalPercent(
            numerator=round(percent * _MILLION / 100),
            denominator=type_v3.FractionalPercentDenominatorType.MILLION,
        )
    )
    root = core.TypedExtensionConfig(
        name="envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        typed_config=Packed(share),
    )
    return core.TypedExtensionConfig(
        name="envoy.tracers.opentelemetry.samplers.parent_based",
        typed_config=Packed(samplers.ParentBasedSamplerConfig(wrapped_sampler=root)),
    )
