"""What to change in a gateway, in the words of Envoy, of Envoy Gateway and of Istio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from extproc import names


@dataclass(frozen=True, slots=True)
class Fix:
    """What a fault means, and the fields that mend it; empty where a gateway has nothing to do."""

    means: str
    envoy: str = ""
    envoy_gateway: str = ""
    istio: str = ""


ATTACHED: Final = Fix(
    "The processor is not asked about this request: the filter is missing, or on another route."
    " Where it only observes, give -c.",
    "http_filters of this listener: the ext_proc filters that `outerloop render` prints, before the"
    " router; no route may disable them",
    "EnvoyExtensionPolicy targetRefs: the Gateway, or each HTTPRoute that matches before the"
    " decision; its status must be Accepted",
    "EnvoyFilter applyTo HTTP_FILTER, INSERT_BEFORE envoy.filters.http.router; its"
    " workloadSelector must select this gateway",
)
ANSWERING: Final = Fix(
    "The filter is there, but the processor cannot be reached.",
    "the cluster of grpc_service.envoy_grpc: its addresses, and http2_protocol_options; does"
    " `outerloop serve` run?",
    "EnvoyExtensionPolicy extProc.backendRefs: name and port; appProtocol kubernetes.io/h2c on the"
    " port of the Service",
    "the port of the Service must be named grpc-..., and its DestinationRule speak the TLS that"
    " `outerloop serve` speaks",
)
UNANSWERED: Final = Fix(
    "The processor is not asked, or cannot be reached: --envoy-admin says which.",
    "the ext_proc filter on this listener and its routes; then the cluster it names: addresses,"
    " http2_protocol_options",
    "the status of EnvoyExtensionPolicy and HTTPRoutes; then extProc.backendRefs and their Service",
    "EnvoyFilter: workloadSelector and match; then the Service of the processor, port grpc-...",
)
CREDENTIALS: Final = Fix(
    "The gateway wants to know who asks before it asks the processor.",
    "give doctor what clients send: --header 'authorization: Bearer ...'",
)
ADDRESS: Final = Fix(
    "No HTTP answer comes from this address.",
    "the listener's address and port; with tls the URL begins with https://, and what no public"
    " authority has signed needs --cacert",
    "Gateway status.addresses, and the port of its listener",
    "the Service of the gateway, and the port of its Gateway server",
)
SHAPE: Final = Fix(
    "Errors lose their header, content type or body on the way, and SDKs cannot read them.",
    "mutation_rules.allow_expression must allow x-outerloop-*, content-type and allow;"
    " local_reply_config must not rewrite what ext_proc answers: filter its mappers",
    "no responseOverride in a BackendTrafficPolicy for our statuses",
    "EnvoyFilter: mutation_rules as rendered; no local_reply_config that matches 4xx",
)
STRIPPED: Final = Fix(
    "Clients can forge what only the gateway may say; routes are chosen by it.",
    "connection manager: early_header_mutation_extensions with remove_on_match"
    f" {names.SPOOFED_HEADERS}, and set x-outerloop-listener; filters and routes are too late",
    "ClientTrafficPolicy headers.earlyRequestHeaders: removeOnMatch (RegularExpression), and set",
    "EnvoyFilter applyTo NETWORK_FILTER, MERGE: early_header_mutation_extensions",
)
BY_CLIENTS: Final = Fix(
    "A client chooses its agent by a header, past filters, rules and limits.",
    "strip it early (see headers-stripped), and have ext_proc on every route that matches"
    " x-outerloop-agent",
    "EnvoyExtensionPolicy targetRefs: the Gateway, so that the agents' HTTPRoutes have it too;"
    " ClientTrafficPolicy headers.earlyRequestHeaders.removeOnMatch",
    "EnvoyFilter: HTTP_FILTER on the whole listener, no per-route disabling; early mutation",
)
RECHOSEN: Final = Fix(
    "The decision has no effect: the request stays on the route that it had before.",
    "ext_proc: no route_cache_action: RETAIN, no disable_clear_route_cache; and a route for each"
    " agent by x-outerloop-agent, before the others",
    "an HTTPRoute for each agent that matches the header x-outerloop-agent (Exact) on this Gateway",
    "VirtualService http match headers x-outerloop-agent exact, before the others; EnvoyFilter:"
    " route_cache_action as rendered",
)
BODIES: Final = Fix(
    "Bodies that the file allows are refused before the processor sees them.",
    "the buffer filter before ext_proc (max_request_bytes), or per_connection_buffer_limit_bytes of"
    " the listener (default 1 MiB): limits.max_request_bytes; 500 at 4 MiB is a gRPC proxy between"
    " Envoy and the processor",
    "ClientTrafficPolicy connection.bufferLimit (default 32Ki), or BackendTrafficPolicy"
    " requestBuffer.limit",
    "EnvoyFilter applyTo LISTENER, MERGE: per_connection_buffer_limit_bytes; or HTTP_FILTER:"
    " envoy.filters.http.buffer before ext_proc",
)
UNBOUNDED: Final = Fix(
    "The processor runs with another limit than this file, or another proxy answers in its place.",
    "reload the processor with this file; the buffer filter: limits.max_request_bytes",
)
PATIENCE: Final = Fix(
    "Envoy gives up on decisions before the processor does (its default is 200 ms).",
    "ext_proc: message_timeout above the listener's decision_timeout (rendered: 2 s more), and"
    " max_message_timeout for plans of several agents",
    "EnvoyExtensionPolicy extProc.messageTimeout; max_message_timeout only by EnvoyPatchPolicy",
    "EnvoyFilter: message_timeout and max_message_timeout of the ext_proc filter",
)
SLOW: Final = Fix(
    "The gateway waits as it should, but decisions take longer than decision_timeout.",
    "nothing: look at the model and the filters that decisions wait for, or raise decision_timeout",
)
PHASES: Final = Fix(
    "What the processor must see does not reach it, or answers take a way through it for nothing.",
    "ext_proc processing_mode: request_header_mode SEND, request_body_mode BUFFERED,"
    " request_trailer_mode SEND, response_header_mode SKIP, response_body_mode NONE",
    "EnvoyExtensionPolicy extProc.processingMode: request.body Buffered, no response;"
    " request_trailer_mode only by EnvoyPatchPolicy",
    "EnvoyFilter: processing_mode of the ext_proc filter",
)
TRAILERS: Final = Fix(
    "A request that ends in trailers passes undecided, on the route that it has by itself.",
    "ext_proc processing_mode.request_trailer_mode: SEND; the last route must lead nowhere",
    "request_trailer_mode only by EnvoyPatchPolicy; the HTTPRoute that matches before the decision"
    " must have no backend",
    "EnvoyFilter: processing_mode.request_trailer_mode SEND",
)
STREAMED: Final = Fix(
    "Something holds answers until they are whole; if no filter or proxy does, the agent itself"
    " makes its answer first (ask it directly).",
    "ext_proc: response_body_mode NONE; no Lua, buffer, compressor, cache or transcoder filter that"
    " reads whole response bodies",
    "EnvoyExtensionPolicy extProc.processingMode without response; no Lua or Wasm that reads"
    " bodies; BackendTrafficPolicy without compression of event streams",
    "EnvoyFilter: as for Envoy; look at other EnvoyFilters and WasmPlugins, of sidecars too",
)
TOLD: Final = Fix(
    "Clients are not told what the file says that they are told.",
    "http_filters: envoy.filters.http.header_mutation as rendered, first; for -cached and"
    " -decision-ms ext_proc metadata_options.receiving_namespaces.untyped: [outerloop];"
    " mutation_rules must allow x-outerloop-*",
    "ClientTrafficPolicy headers.lateResponseHeaders.set with %REQ(x-outerloop-agent)% and so on;"
    " EnvoyExtensionPolicy extProc.metadata.writableNamespaces: [outerloop]",
    "EnvoyFilter applyTo HTTP_FILTER: envoy.filters.http.header_mutation, INSERT_FIRST",
)
REQUEST_ID: Final = Fix(
    "The client's x-request-id is replaced: its logs and ours cannot be brought together.",
    "connection manager: preserve_external_request_id: true, and pack_trace_reason: false",
    "ClientTrafficPolicy headers.requestID: PreserveOrGenerate",
    "EnvoyFilter applyTo NETWORK_FILTER, MERGE: preserve_external_request_id: true",
)
HEALTH: Final = Fix("The gateway has no liveness of its own.")
PRIVATE: Final = Fix(
    "The processor's admin is public: it shows hosts, decisions and the configuration.",
    "no route to the admin's port; leave `admin.address` on 127.0.0.1",
    "no HTTPRoute to the admin's port of the Service",
    "no VirtualService to the admin's port; an AuthorizationPolicy that denies it",
)
WRITABLE: Final = Fix(
    "The processor may not set what routing, replaced bodies and errors need.",
    "ext_proc mutation_rules.allow_expression as rendered: x-outerloop-*, content-length,"
    " content-type, allow, traceparent, outerloop-hops",
    "nothing there limits it, unless an EnvoyPatchPolicy does",
    "EnvoyFilter: mutation_rules of the ext_proc filter",
)
CLOSED: Final = Fix(
    "When the processor fails, requests pass undecided and unfiltered.",
    "the last ext_proc filter that decides: failure_mode_allow: false",
    "EnvoyExtensionPolicy extProc.failOpen: false",
    "EnvoyFilter: failure_mode_allow: false",
)
ROUTED: Final = Fix(
    "Decisions for these agents have no route.",
    "route_config: a route for each agent by the header x-outerloop-agent (exact), before others",
    "an HTTPRoute for each agent that matches the header x-outerloop-agent (Exact)",
    "VirtualService http match headers x-outerloop-agent exact",
)
CLUSTER: Final = Fix(
    "Envoy cannot speak gRPC with the processor.",
    "its cluster: http2_protocol_options by typed_extension_protocol_options",
    "appProtocol kubernetes.io/h2c on the port of the Service",
    "the port of the Service must be named grpc-...",
)
READABLE: Final = Fix(
    "Nothing can be read there.",
    "--envoy-admin: the address of Envoy's own admin; `outerloop up` has it as envoy.sock in its"
    " folder",
    "kubectl port-forward to port 19000 of the Envoy pod",
    "kubectl port-forward to port 15000 of the gateway's pod",
)
