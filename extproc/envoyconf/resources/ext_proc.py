"""The filter that asks the processor."""

from __future__ import annotations

from typing import Final

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as rules
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
from envoy_data_plane.envoy.type import v3 as http_type
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.envoyconf.resources.retries import processor_retries
from extproc.envoyconf.topology import PROCESSOR_CLUSTER, AgentListener

_WRITABLE: Final = (
    f"{names.HEADER_PREFIX}[a-z0-9-]+",
    "content-length",  # a body that was replaced must have the right one
    "content-type",  # of the processor's own answers, which these rules hold for too
    "allow",
    names.HEADER_TRACEPARENT,
    names.HEADER_HOPS,
)
"""All that the processor may set, in requests and in its answers: no path, no credentials."""

# Spelled in full: `DEFAULT` means SEND for some phases and SKIP for others.
_PHASES: Final = ext_proc.ProcessingMode(
    request_header_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
    request_body_mode=ext_proc.ProcessingModeBodySendMode.BUFFERED,
    # Trailers may follow the headers at once: without a body, they are what asks for a decision.
    request_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
    response_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    response_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
    response_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
)


def external_processor(listener: AgentListener) -> Any:
    """Return the filter for `listener`: whole requests go to the processor, answers do not."""
    return Any.pack(
        ext_proc.ExternalProcessor(
            grpc_service=core.GrpcService(
                envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=PROCESSOR_CLUSTER),
                retry_policy=processor_retries(),
            ),
            failure_mode_allow=False,
            status_on_error=http_type.HttpStatus(code=http_type.StatusCode.ServiceUnavailable),
            processing_mode=_PHASES,
            message_timeout=listener.message_timeout,
            max_message_timeout=listener.max_message_timeout,
            mutation_rules=rules.HeaderMutationRules(
                disallow_all=True,
                allow_expression=matcher.RegexMatcher(regex=f"^({'|'.join(_WRITABLE)})$"),
            ),
            metadata_options=ext_proc.MetadataOptions(
                receiving_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(
                    untyped=[names.METADATA_NAMESPACE]
                )
            ),
            stat_prefix=PROCESSOR_CLUSTER,
        )
    )
