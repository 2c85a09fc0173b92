"""Headers that Envoy itself takes away and adds."""

from __future__ import annotations

import re
from typing import Final, Literal

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as rules
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.header_mutation import v3 as header_mutation
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata import (
    v3 as header_to_metadata,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import (
    v3 as early_header_mutation,
)
from envoy_data_plane.envoy.extensions.request_id.uuid import v3 as request_id
from envoy_data_plane.google.protobuf import Any

from extproc import names
from extproc.envoyconf.resources.extensions import Packed
from extproc.envoyconf.resources.hosts import VARIANT_KEY
from extproc.envoyconf.resources.matchers import matching


def _metadata(key: str) -> str:
    return f"%DYNAMIC_METADATA({names.METADATA_NAMESPACE}:{key})%"


_VARIANT: Final = f"%CLUSTER_METADATA({names.METADATA_NAMESPACE}:{VARIANT_KEY})%"
_SERVED: Final = (
    names.HEADER_AGENT,
    names.HEADER_PLAN,
    names.HEADER_SOURCE,
    names.HEADER_VARIANT,
)
"""What the answer says itself where another agent than the decided one has served."""

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
    names.HEADER_VARIANT: _VARIANT,
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


def unmarked_ids() -> hcm.RequestIdExtension:
    """Return how `x-request-id` is made where there is none.

    Envoy would write into those of clients, and trace no request whose id is none of its own kind.
    """
    return hcm.RequestIdExtension(
        typed_config=Packed(
            request_id.UuidRequestIdConfig(
                pack_trace_reason=False, use_request_id_for_trace_sampling=False
            )
        )
    )


def early_mutation(
    listener: str, removed: str = names.SPOOFED_HEADERS
) -> core.TypedExtensionConfig:
    """Return the mutation that runs before anything reads the request.

    Later is too late: the route would already be chosen by what the client sent. Header names that
    the expression `removed` matches are the gateway's alone.
    """
    return core.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=Packed(
            early_header_mutation.HeaderMutation(
                mutations=[
                    _remove_matching(removed),
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
        rules.HeaderMutation(
            append=if_absent(name, value) if name in _SERVED else header_option(name, value)
        )
        for name, value in formats.items()
    ]
    untold = [rules.HeaderMutation(remove=name) for name in _SERVED if name not in formats]
    return Packed(
        header_mutation.HeaderMutation(
            mutations=header_mutation.Mutations(response_mutations=[*untold, *mutations])
        )
    )


def told_by_route(level: Literal["none", "basic", "full"]) -> list[core.HeaderValueOption]:
    """Return the same for the route of an agent, where the answers of others are not ours."""
    formats = {"none": {}, "basic": _BASIC, "full": _FULL}[level]
    return [header_option(name, value) for name, value in formats.items()]


def of_the_one_that_served() -> Any:
    """Return the filter by which the log names an agent that took over for the decided one."""
    told = {
        names.HEADER_AGENT: names.METADATA_AGENT,
        names.HEADER_PLAN: names.METADATA_PLAN,
        names.HEADER_SOURCE: names.METADATA_SOURCE,
    }
    rules_ = [
        header_to_metadata.ConfigRule(
            header=header,
            on_header_present=header_to_metadata.ConfigKeyValuePair(
                metadata_namespace=names.METADATA_NAMESPACE, key=key
            ),
        )
        for header, key in told.items()
    ]
    return Packed(header_to_metadata.Config(response_rules=rules_))


def served_by(agent: str) -> list[core.HeaderValueOption]:
    """Return the response headers by which a hop says which agent, and which variant, it was."""
    return [
        header_option(names.HEADER_AGENT, agent),
        header_option(names.HEADER_VARIANT, _VARIANT),
    ]


def forwarded_host() -> core.HeaderValueOption:
    """Return the header with the host that the client asked for, for an agent with its own.

    Envoy's own option for it would add the hosts of failed attempts.
    """
    return core.HeaderValueOption(
        header=core.HeaderValue(key="x-forwarded-host", value="%REQ(:authority)%"),
        append_action=core.HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
    )


def if_absent(name: str, value: str) -> core.HeaderValueOption:
    """Return `name: value` for where no such header stands."""
    return core.HeaderValueOption(
        header=core.HeaderValue(key=name, value=value),
        append_action=core.HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT,
    )


def from_agent() -> Any:
    """Return the upstream filter that drops an agent's own `x-outerloop-*`, trailers too.

    And what may not reach an agent from a client: copies of ours that came as trailers.
    """
    ours = rf"(?i){re.escape(names.HEADER_PREFIX)}.*"
    return Packed(
        header_mutation.HeaderMutation(
            mutations=header_mutation.Mutations(
                request_trailers_mutations=[_remove_matching(names.SPOOFED_HEADERS)],
                response_mutations=[_remove_matching(ours)],
                response_trailers_mutations=[_remove_matching(ours)],
            )
        )
    )


def early_target() -> core.TypedExtensionConfig:
    """Return the mutation by which what comes from a chain is known by its host."""
    return core.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=Packed(
            early_header_mutation.HeaderMutation(
                mutations=[
                    rules.HeaderMutation(append=if_absent(names.HEADER_TARGET, "%REQ(:authority)%"))
                ]
            )
        ),
    )


def _remove_matching(expression: str) -> rules.HeaderMutation:
    return rules.HeaderMutation(
        remove_on_match=rules.HeaderMutationRemoveOnMatch(key_matcher=matching(expression))
    )
