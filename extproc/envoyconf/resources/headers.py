"""Headers that Envoy itself takes away and adds."""

from __future__ import annotations

import re
from typing import Final, Literal

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as rules
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.header_mutation import v3 as header_mutation
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import (
    v3 as early_header_mutation,
)
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.envoyconf.resources.hosts import VARIANT_KEY
from extproc.envoyconf.resources.matchers import matching


def _metadata(key: str) -> str:
    return f"%DYNAMIC_METADATA({names.METADATA_NAMESPACE}:{key})%"


_BASIC: Final = {
    header: f"%REQ({header})%"
    for header in (
        names.HEADER_AGENT,
        names.HEADER_PLAN,
        names.HEADER_SOURCE,
        names.HEADER_REQUEST_ID,
    )
}
_FULL: Final = _BASIC | {
    names.HEADER_CONFIDENCE: f"%REQ({names.HEADER_CONFIDENCE})%",
    names.HEADER_VARIANT: f"%CLUSTER_METADATA({names.METADATA_NAMESPACE}:{VARIANT_KEY})%",
    names.HEADER_CACHED: _metadata(names.METADATA_CACHED),
    names.HEADER_DECISION_MS: _metadata(names.METADATA_DECISION_MS),
    names.HEADER_STEP: f"%REQ({names.HEADER_STEP})%",
}


def header_option(name: str, value: str) -> core.HeaderValueOption:
    """Return `name: value`, in place of any that stands there; an empty value adds nothing."""
    return core.HeaderValueOption(
        header=core.HeaderValue(key=name, value=value),
        append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def early_mutation(listener: str) -> core.TypedExtensionConfig:
    """Return the mutation that runs before anything reads the request.

    Later is too late: the route would already be chosen by what the client sent.
    """
    return core.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=Any.pack(
            early_header_mutation.HeaderMutation(
                mutations=[
                    _remove_matching(names.SPOOFED_HEADERS),
                    rules.HeaderMutation(append=header_option(names.HEADER_LISTENER, listener)),
                ]
            )
        ),
    )


def to_client(level: Literal["none", "basic", "full"]) -> Any:
    """Return the filter that tells the client what was decided, on errors too.

    What is not known adds no header. The `x-request-id` is the request's, not an agent's own.
    """
    formats = {"none": {}, "basic": _BASIC, "full": _FULL}[level]
    mutations = [
        rules.HeaderMutation(append=header_option(name, value)) for name, value in formats.items()
    ]
    return Any.pack(
        header_mutation.HeaderMutation(
            mutations=header_mutation.Mutations(response_mutations=mutations)
        )
    )


def from_agent() -> Any:
    """Return the upstream filter that drops an agent's own `x-outerloop-*` response headers.

    And what may not reach an agent from a client: copies of ours that came as trailers.
    """
    ours = rf"(?i){re.escape(names.HEADER_PREFIX)}.*"
    return Any.pack(
        header_mutation.HeaderMutation(
            mutations=header_mutation.Mutations(
                request_trailers_mutations=[_remove_matching(names.SPOOFED_HEADERS)],
                response_mutations=[_remove_matching(ours)],
            )
        )
    )


def _remove_matching(expression: str) -> rules.HeaderMutation:
    return rules.HeaderMutation(
        remove_on_match=rules.HeaderMutationRemoveOnMatch(key_matcher=matching(expression))
    )
