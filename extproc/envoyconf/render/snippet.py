"""What to paste into the configuration of an Envoy that exists: YAML, with a word on each part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from extproc.envoyconf.render.own import put_in
from extproc.envoyconf.render.text import as_json, as_yaml
from extproc.envoyconf.resources import attachment
from extproc.envoyconf.resources.bootstrap import clusters
from extproc.envoyconf.resources.clusters import processor_cluster
from extproc.envoyconf.resources.egress import egress_listener
from extproc.envoyconf.resources.local_replies import local_replies_of_conversations
from extproc.envoyconf.topology import AgentListener, Topology

_HEADING: Final = """\
# Rendered by outerloop: parts to paste into the configuration of an Envoy that exists.
# Then prove it: outerloop doctor --gateway URL
"""
_LISTENER: Final = """\
# For the listener that clients of `{name}` talk to.
#   listener                     its fields
#   http_connection_manager      fields of its connection manager; http_filters go right before
#                                envoy.filters.http.router, in this order
"""
_ROUTES: Final = """\
#   virtual_host                 routes go before those that it has
"""
_OBSERVED: Final = """\
#   route                        add it to each route whose decisions you want to watch; what it
#                                does stays as it is
"""
_EVERYWHERE: Final = """\
# Once for the whole Envoy.
#   static_resources             clusters of the processor and of agents{egress}
"""
_WITH_EGRESS: Final = """,
#                                and the listener that the processor calls through"""


def render(topology: Topology) -> str:
    """Return the parts for each listener, and then those for all of them."""
    parts = [_HEADING]
    for listener in topology.listeners:
        told = _OBSERVED if listener.observed_by is not None else _ROUTES
        parts.append(_LISTENER.format(name=listener.name) + told)
        parts.append(as_yaml(put_in(_of_listener(listener, topology), topology.own)))
        parts.append("---\n")
    egress = _WITH_EGRESS if topology.egress is not None else ""
    parts.append(_EVERYWHERE.format(egress=egress))
    parts.append(as_yaml({"static_resources": dict(_static(topology))}))
    return "".join(parts)


def _of_listener(listener: AgentListener, topology: Topology) -> dict[str, Any]:
    limits = topology.limits
    document: dict[str, Any] = {
        "listener": {"per_connection_buffer_limit_bytes": limits.max_request_bytes},
        "http_connection_manager": {
            "early_header_mutation_extensions": [as_json(attachment.stripping(listener))],
            "http_filters": [
                as_json(each) for each in attachment.attached_filters(listener, topology)
            ],
        },
    }
    if listener.observed_by is not None:
        enabled = attachment.filters_on(listener, limits)
        document["route"] = {
            "typed_per_filter_config": {name: as_json(each) for name, each in enabled.items()}
        }
        return document
    replies = as_json(local_replies_of_conversations())
    document["http_connection_manager"]["local_reply_config"] = replies
    routes = attachment.attached_routes(listener, topology)
    document["virtual_host"] = {"routes": [as_json(each) for each in routes]}
    return document


def _static(topology: Topology) -> Iterator[tuple[str, Any]]:
    observed = all(each.observed_by is not None for each in topology.listeners)
    ours = [] if observed else clusters(topology)
    yield (
        "clusters",
        [
            *(as_json(each) for each in (processor_cluster(topology), *ours)),
            *topology.own.clusters,
        ],
    )
    if topology.egress is not None and not observed:
        yield "listeners", [as_json(egress_listener(topology.egress, topology))]
