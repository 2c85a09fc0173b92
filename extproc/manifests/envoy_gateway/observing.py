"""Decisions that are only observed: on HTTPRoutes of others, which are marked with a label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from extproc.config.model.root import Config
from extproc.envoyconf.topology import AgentListener
from extproc.manifests.envoy_gateway.decision import decides
from extproc.manifests.envoy_gateway.objects import GATEWAY_API, Place, section
from extproc.manifests.envoy_gateway.processor import Processor
from extproc.manifests.source import Document, Unrenderable


def label(listener: str, place: Place) -> tuple[str, str]:
    """Return the label, and its value, of routes that are to be watched."""
    return f"{place.name}/watched", section(listener)


def observed(
    config: Config, listener: AgentListener, processor: Processor, place: Place
) -> Iterator[Document]:
    """Yield the policies of routes that are to be watched. Raises `Unrenderable`."""
    key = f"listeners[{listener.name}].mode"
    if len(config.listeners) > 1:
        raise Unrenderable(
            f"{key}: observe: on routes of others nothing says which listener it is: give each one "
            "that observes a file and a processor of its own"
        )
    if processor.client_secret is not None:
        raise Unrenderable(
            f"{key}: observe: the processor can be shown no certificate "
            "(deploy.processor.tls.client_secret) but by a Gateway of ours"
        )
    name, value = label(listener.name, place)
    target = {"group": GATEWAY_API, "kind": "HTTPRoute", "matchLabels": {name: value}}
    policies: dict[str, dict[str, Any]] = {
        "EnvoyExtensionPolicy": {"extProc": [decides(config, listener, processor)]},
        # Bodies are held while they are decided: by default Envoy Gateway holds 32 KiB.
        "BackendTrafficPolicy": {"requestBuffer": {"limit": config.limits.max_request_bytes}},
    }
    for kind, spec in policies.items():
        named = place.named("watch", listener.name)
        yield place.document(kind, named, {"targetSelectors": [target], **spec})
