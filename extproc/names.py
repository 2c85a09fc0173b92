"""Every name that crosses a process boundary: headers, metadata keys, agent ids.

Header names are lower case, as Envoy sends them. The routes, the access log and the
processor all read them from here, so that they cannot drift apart.
"""

from __future__ import annotations

import re
from typing import Final

AGENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

HEADER_PREFIX: Final = "x-outerloop-"
SPOOFED_HEADERS: Final = r"(?i)x[-_](outerloop|envoy)[-_].*"
"""RE2 expression of the header names that only the gateway may set (underscores included)."""

OWN_HEADERS: Final = r"(?i)x[-_]outerloop[-_].*"
"""The same, without those that a gateway of others may have uses for."""

HEADER_AGENT: Final = "x-outerloop-agent"
HEADER_PLAN: Final = "x-outerloop-plan"
HEADER_STEP: Final = "x-outerloop-step"
HEADER_SOURCE: Final = "x-outerloop-source"
HEADER_CONFIDENCE: Final = "x-outerloop-confidence"
HEADER_LISTENER: Final = "x-outerloop-listener"
HEADER_TARGET: Final = "x-outerloop-target"
HEADER_VARIANT: Final = "x-outerloop-variant"
HEADER_CACHED: Final = "x-outerloop-cached"
HEADER_DECISION_MS: Final = "x-outerloop-decision-ms"
HEADER_ERROR: Final = "x-outerloop-error"
HEADER_TAG: Final = "x-outerloop-tag-"
"""Prefix of what filters say of a request."""
HEADER_PHASE: Final = "x-outerloop-phase"
HEADER_STATUS: Final = "x-outerloop-status"
HEADER_REQUEST_ID: Final = "x-request-id"
HEADER_TRACEPARENT: Final = "traceparent"
HEADER_HOPS: Final = "outerloop-hops"

RESPONSE_HEADERS: Final = (
    HEADER_AGENT,
    HEADER_PLAN,
    HEADER_STEP,
    HEADER_SOURCE,
    HEADER_CONFIDENCE,
    HEADER_VARIANT,
    HEADER_CACHED,
    HEADER_DECISION_MS,
    HEADER_ERROR,
)
"""All that an answer tells a client."""

WRITABLE: Final = (
    f"{HEADER_PREFIX}[a-z0-9-]+",
    "content-length",  # a body that was replaced must have the right one
    "content-type",  # of the processor's own answers, which these rules hold for too
    "allow",
    HEADER_TRACEPARENT,
    HEADER_HOPS,
)
"""RE2 expressions of all headers that the processor may set: no path, no credentials."""

TAKEOVER: Final = "takeover."
"""Prefix of the targets that are agents which take over for others."""

METADATA_NAMESPACE: Final = "outerloop"
"""Dynamic metadata for the access log and response headers: never reaches an agent."""

METADATA_CACHED: Final = "cached"
METADATA_DECISION_MS: Final = "decision_ms"
METADATA_CONFIDENCE: Final = "confidence"
METADATA_TRACE_ID: Final = "trace_id"
METADATA_AGENT: Final = "agent"
METADATA_PLAN: Final = "plan"
METADATA_SOURCE: Final = "source"
METADATA_OBSERVED: Final = "observed"
"""What would have become of a request that is only observed."""
METADATA_FILTERS: Final = "filters"
METADATA_OUTPUT_FILTERS: Final = "output_filters"
METADATA_EXCHANGE: Final = "exchange"
"""What the filters of an answer need to know of its request; only where there are any."""

METADATA_TOKENS: Final = "outerloop.tokens"
"""Dynamic metadata with what an agent reports of its tokens: not where agents are named."""

TOKEN_KEYS: Final = {"input": "input_tokens", "output": "output_tokens"}
"""By direction: in that metadata, in the access log, and in Envoy's statistics."""

STATS_PREFIX: Final = "outerloop"
STAT_FIRST_BYTE: Final = "first_byte"
STAT_AGAIN: Final = "again"
"""In Envoy's statistics, what asks another worker for a decision."""
"""Envoy's statistics of exchanges; their tags are an agent and a variant."""

ATTRIBUTE_DETAILS: Final = "response.code_details"
DETAILS_OF_AGENTS: Final = "via_upstream"
"""Envoy's reason for an answer that it got from an upstream; its own answers have others."""

PATH_CHAT: Final = "/v1/chat/completions"
PATH_MESSAGES: Final = "/v1/messages"
PATH_RESPONSES: Final = "/v1/responses"
PATHS: Final = (PATH_CHAT, PATH_MESSAGES, PATH_RESPONSES)
"""Where conversations come in."""
PATH_MODELS: Final = "/v1/models"
PATH_HEALTH: Final = "/healthz"

PROCESSOR_SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
"""gRPC service that Envoy calls, and the name its health checks ask for."""
