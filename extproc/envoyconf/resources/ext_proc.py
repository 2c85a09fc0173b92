"""The filter that asks the processor."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as rules
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.common.matching import v3 as matching
from envoy_data_plane.envoy.extensions.filters.common.matcher.action import v3 as action
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
from envoy_data_plane.envoy.type import v3 as http_type
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds

from extproc import names
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.matchers import on_header
from extproc.envoyconf.resources.retries import processor_retries
from extproc.envoyconf.topology import PROCESSOR_CLUSTER, AgentListener
from extproc.plan import LONGEST_WAIT

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


_NOTHING: Final = ext_proc.ProcessingMode(
    request_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    request_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
    request_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    response_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    response_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
    response_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
)
# The processor gives back what it likes, when it likes: events are held until filters have seen
# them, and the headers until it is known that they are true.
_ANSWERS: Final = ext_proc.ProcessingMode(
    request_header_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    request_body_mode=ext_proc.ProcessingModeBodySendMode.NONE,
    request_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SKIP,
    response_header_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
    response_body_mode=ext_proc.ProcessingModeBodySendMode.FULL_DUPLEX_STREAMED,
    response_trailer_mode=ext_proc.ProcessingModeHeaderSendMode.SEND,
)
_MODEL_TIMEOUT: Final = timedelta(seconds=5)
_OURS: Final = ext_proc.MetadataOptionsMetadataNamespaces(untyped=[names.METADATA_NAMESPACE])
_OF_ANSWERS: Final = (
    f"{names.HEADER_PREFIX}[a-z0-9-]+",
    "content-(length|type|encoding|md5)",
    "etag",
    "digest",
    "repr-digest",
    names.HEADER_REQUEST_ID,
)
"""All that filters of answers may set or remove."""


def answer_processor() -> Any:
    """Return the filter for answers; it does nothing but where a route asks for it."""
    return Packed(
        ext_proc.ExternalProcessor(
            grpc_service=_service(),
            failure_mode_allow=False,
            status_on_error=http_type.HttpStatus(code=http_type.StatusCode.ServiceUnavailable),
            processing_mode=_NOTHING,
            # Tells an agent's answer from one of Envoy's own.
            response_attributes=[names.ATTRIBUTE_DETAILS],
            # Without effect in this mode: the filters of an answer keep their own time.
            message_timeout=LONGEST_WAIT,
            mutation_rules=_allowing(_OF_ANSWERS),
            metadata_options=ext_proc.MetadataOptions(
                receiving_namespaces=_OURS, forwarding_namespaces=_OURS
            ),
            stat_prefix="answers",
            # Ours is right, or none: without this every answer would lose its length.
            allow_content_length_header=True,
        )
    )


def answers_enabled() -> Any:
    """Return the per-route configuration of a route whose answers are filtered."""
    return Packed(
        ext_proc.ExtProcPerRoute(overrides=ext_proc.ExtProcOverrides(processing_mode=_ANSWERS))
    )


def model_processor() -> Any:
    """Return the filter for requests to agents that take over; see `whole_requests`."""
    return Packed(
        ext_proc.ExternalProcessor(
            grpc_service=_service(),
            failure_mode_allow=False,
            status_on_error=http_type.HttpStatus(code=http_type.StatusCode.ServiceUnavailable),
            processing_mode=_NOTHING,
            message_timeout=_MODEL_TIMEOUT,
            mutation_rules=_allowing(("content-length", "content-type", names.HEADER_ERROR)),
            stat_prefix="model",
        )
    )


def whole_requests() -> Any:
    """Return the per-route configuration by which a filter gets requests that it did not get."""
    return Packed(
        ext_proc.ExtProcPerRoute(overrides=ext_proc.ExtProcOverrides(processing_mode=_PHASES))
    )


def failure_mode_allowed() -> Any:
    """Return the per-route configuration of a route that requests take without the processor."""
    return Packed(
        ext_proc.ExtProcPerRoute(overrides=ext_proc.ExtProcOverrides(failure_mode_allow=True))
    )


def _service() -> core.GrpcService:
    return core.GrpcService(
        envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=PROCESSOR_CLUSTER),
        retry_policy=processor_retries(),
    )


def _allowing(headers: tuple[str, ...]) -> rules.HeaderMutationRules:
    return rules.HeaderMutationRules(
        disallow_all=True,
        allow_expression=matcher.RegexMatcher(regex=f"^({'|'.join(headers)})$"),
    )


def external_processor(listener: AgentListener) -> Any:
    """Return the filter for `listener`: whole requests go to the processor, answers do not.

    What it could not decide is the next one's, `decided_by_another_worker`.
    """
    return _deciding(listener, PROCESSOR_CLUSTER, failure_mode_allow=True)


def decided_by_another_worker(listener: AgentListener) -> Any:
    """Return the filter that asks once more about what is undecided, and lets nothing else pass.

    Envoy's own retry ends with the first message that a worker answers; its second one decides.
    """
    return Packed(
        matching.ExtensionWithMatcher(
            extension_config=core.TypedExtensionConfig(
                name="envoy.filters.http.ext_proc",
                typed_config=_deciding(listener, names.STAT_AGAIN, failure_mode_allow=False),
            ),
            # No client can send it: the early mutation takes it away.
            xds_matcher=on_header(names.HEADER_AGENT, ".+", then=_skip(), otherwise=None),
        )
    )


def _skip() -> xds.MatcherOnMatch:
    return xds.MatcherOnMatch(
        action=xds_core.TypedExtensionConfig(
            name="decided", typed_config=Packed(action.SkipFilter())
        )
    )


def _deciding(listener: AgentListener, stat_prefix: str, *, failure_mode_allow: bool) -> Any:
    return Packed(
        ext_proc.ExternalProcessor(
            grpc_service=_service(),
            failure_mode_allow=failure_mode_allow,
            status_on_error=http_type.HttpStatus(code=http_type.StatusCode.ServiceUnavailable),
            processing_mode=_PHASES,
            message_timeout=listener.message_timeout,
            max_message_timeout=LONGEST_WAIT,
            mutation_rules=_allowing(names.WRITABLE),
            metadata_options=ext_proc.MetadataOptions(receiving_namespaces=_OURS),
            stat_prefix=stat_prefix,
        )
    )
