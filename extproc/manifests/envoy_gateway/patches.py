"""EnvoyPatchPolicies: for what Envoy Gateway has no field. All else works without them.

They have no effect unless Envoy Gateway's own configuration switches them on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from extproc import names
from extproc.config.model.root import Config
from extproc.envoyconf.topology import AgentListener
from extproc.manifests.envoy_gateway.decision import patience
from extproc.manifests.envoy_gateway.objects import GATEWAY_API, Place, section
from extproc.manifests.source import Document
from extproc.plan import LONGEST_WAIT

REASON: Final = "outerloop/reason"
"""Annotation that says why a policy is there."""

_LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_MANAGER: Final = (
    "..filters[?(@.name=='envoy.filters.network.http_connection_manager')].typed_config"
)
_DECIDES: Final = (
    "..http_filters[?(@.typed_config.processing_mode.request_body_mode=='BUFFERED' && "
    f"@.typed_config.metadata_options.receiving_namespaces.untyped[0]=='{names.METADATA_NAMESPACE}'"
    ")].typed_config"
)
"""Our filter, whatever it is called: names differ between versions of Envoy Gateway."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A value that is put at `path` below what `selected` finds in a listener."""

    selected: str
    path: str
    value: object


_FIELDS: Final = {
    "mutations": (
        "whatever becomes of the processor, it may set no path and no credentials",
        _Field(
            _DECIDES,
            "mutation_rules",
            {
                "disallow_all": True,
                "allow_expression": {"regex": f"^({'|'.join(names.WRITABLE)})$"},
            },
        ),
    ),
    "trailers": (
        "a request of headers and trailers alone is answered by the processor, too",
        _Field(_DECIDES, "processing_mode/request_trailer_mode", "SEND"),
    ),
    "workers": (
        "a worker that has just failed is not the next one to be asked",
        _Field(
            _DECIDES,
            "grpc_service/retry_policy/retry_host_predicate",
            [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
        ),
    ),
    "request-ids": (
        "Envoy leaves a client's x-request-id as it is, and traces whatever it looks like",
        _Field(
            _MANAGER,
            "request_id_extension",
            {
                "typed_config": {
                    "@type": f"{_TYPES}.request_id.uuid.v3.UuidRequestIdConfig",
                    "pack_trace_reason": False,
                    "use_request_id_for_trace_sampling": False,
                }
            },
        ),
    ),
}
"""For each listener; the first of each pair says why."""


def patch_policies(
    config: Config, listeners: Sequence[AgentListener], place: Place
) -> Iterator[Document]:
    """Yield a policy for each thing that has no field, for listeners of ours."""
    if not listeners:
        return
    for part, (reason, field) in _FIELDS.items():
        patches = [_patch(each, field, place) for each in listeners]
        yield _policy(part, reason, patches, place)
    waiting = [each for each in listeners if patience(config, each) != each.message_timeout]
    if waiting:
        reason = (
            "a worker that stands still is given up after decision_timeout; a plan gets more time "
            "when the processor asks for it"
        )
        patches = [_patch(each, field, place) for each in waiting for field in _waits(each)]
        yield _policy("timeouts", reason, patches, place)


def _waits(listener: AgentListener) -> Iterable[_Field]:
    return (
        _Field(_DECIDES, "message_timeout", _seconds(listener.message_timeout)),
        _Field(_DECIDES, "max_message_timeout", _seconds(LONGEST_WAIT)),
    )


def _seconds(value: timedelta) -> str:
    """Write a duration as Envoy reads it."""
    return f"{value.total_seconds():.10g}s"


def _policy(part: str, reason: str, patches: list[dict[str, Any]], place: Place) -> Document:
    spec = {
        "targetRef": {"group": GATEWAY_API, "kind": "Gateway", "name": place.name},
        "type": "JSONPatch",
        "jsonPatches": patches,
    }
    name = place.named("patch", part)
    return place.document("EnvoyPatchPolicy", name, spec, annotations={REASON: reason})


def _patch(listener: AgentListener, field: _Field, place: Place) -> dict[str, Any]:
    return {
        "type": _LISTENER,
        "name": f"{place.namespace}/{place.name}/{section(listener.name)}",
        "operation": {
            "op": "add",
            "jsonPath": field.selected,
            "path": field.path,
            "value": field.value,
        },
    }
