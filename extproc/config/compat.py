"""Keys of Plano's agent files: what has a meaning here is translated, the rest is named.

Every version of the file takes them. Nothing is left out without a warning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from extproc.config.faults import Fault, Location, did_you_mean, path_text
from extproc.config.yaml_source import Node

VERSIONS: Final = ("v1", "v0.3.0", "v0.4.0")

TOP_KEYS: Final = (
    "endpoints",
    "llm_providers",
    "mode",
    "model_aliases",
    "model_metrics_sources",
    "model_providers",
    "overrides",
    "prompt_caching",
    "prompt_guards",
    "prompt_targets",
    "ratelimits",
    "routing",
    "routing_preferences",
    "state_storage",
    "system_prompt",
)
LISTENER_KEYS: Final = ("router", "max_retries", "message_format", "model_providers")
TRACING_KEYS: Final = (
    "custom_attributes",
    "exporters",
    "sampling_rate",
    "trace_arch_internal",
)
_PROVIDERS: Final = ("model_providers", "llm_providers")
_OLD_LISTENERS: Final = {"ingress_traffic": "prompt", "egress_traffic": "model"}
"""Keys of the older form of `listeners`, a mapping, and what type they have since."""

_ORCHESTRATOR_OVERRIDES: Final = ("agent_orchestration_model", "orchestrator_model")
_API_PATH: Final = re.compile(r"(.*)/(?:chat/completions|messages|responses)/?")

NO_EFFECT: Final = "has no effect here; it is accepted so that files of Plano load"


@dataclass(frozen=True, slots=True)
class Translation:
    """`tree` has only keys of ours; its values keep where they stand in the file."""

    tree: Node
    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def translate(tree: Node, file: str) -> Translation:
    """Turn a file's tree into one of our own keys, with the version settled."""
    translator = _Translator(tree, file)
    translator.run()
    return Translation(translator.tree, tuple(translator.errors), tuple(translator.warnings))


class _Translator:
    def __init__(self, tree: Node, file: str) -> None:
        self.tree = tree
        self.file = file
        self.errors: list[Fault] = []
        self.warnings: list[Fault] = []

    def run(self) -> None:
        self._version()
        self._listeners()
        self._filters()
        self._agent_urls()
        self._tracing()
        self._orchestrator_model()
        self._drop((), TOP_KEYS)

    def _version(self) -> None:
        """Settle the version, so that a wrong one does not hide other faults."""
        node = self.tree.child("version")
        if node is None:
            fault = self.tree.fault(self.file, f"the key 'version' is missing; use {VERSIONS[0]}")
            self.errors.append(replace(fault, path="version"))
        elif node.value not in VERSIONS:
            near = did_you_mean(node.raw, VERSIONS)
            self._error(node, f"must be one of {', '.join(VERSIONS)}{near}")
        else:
            return
        settled = Node(("version",), self.tree.mark, None, VERSIONS[0])
        self.tree = self.tree.put(("version",), settled)

    def _listeners(self) -> None:
        listeners = self.tree.child("listeners")
        if listeners is None:
            return
        for part, listener in reversed(list(listeners.children())):
            kind = _OLD_LISTENERS.get(str(part)) or _text(listener, "type")
            if kind in _OLD_LISTENERS.values():
                message = f"a listener of type {kind} is NOT SERVED: only those of type agent are"
                self._warn(listener, message)
                self.tree = self.tree.put(("listeners", part), None)
            else:
                self._listener(("listeners", part), listener)
        remaining = self.tree.child("listeners")
        if listeners.value and remaining and not remaining.value:
            self._error(listeners, "no listener of type agent is left to serve", at_key=True)

    def _listener(self, location: Location, listener: Node) -> None:
        self._drop(location, LISTENER_KEYS)
        self._rename(location, "filter_chain", "input_filters")
        agents = listener.child("agents")
        for part, _ in agents.children() if agents else ():
            self._rename((*location, "agents", part), "filter_chain", "input_filters")

    def _rename(self, location: Location, old: str, new: str) -> None:
        """Take a key under the name that it has here."""
        node = self.tree.at((*location, old))
        if node is None:
            return
        if self.tree.at((*location, new)):
            self._error(node, f"means the same as `{new}`: write one of them", at_key=True)
        else:
            self.tree = self.tree.put((*location, new), node)
        self.tree = self.tree.put((*location, old), None)

    def _filters(self) -> None:
        filters = self.tree.child("filters")
        for part, _ in filters.children() if filters else ():
            self._drop(("filters", part), ("streaming",))

    def _agent_urls(self) -> None:
        """Plano takes the path from the request; a file may have it in the url all the same."""
        agents = self.tree.child("agents")
        for part, agent in agents.children() if agents else ():
            url = agent.child("url")
            match = _API_PATH.fullmatch(url.value) if url and isinstance(url.value, str) else None
            if url and match:
                self._warn(url, "the end of the path is left out: it comes from each request")
                self.tree = self.tree.put(("agents", part, "url"), replace(url, value=match[1]))

    def _tracing(self) -> None:
        self._rename(("tracing",), "opentracing_grpc_endpoint", "otlp_endpoint")
        self._drop(("tracing",), TRACING_KEYS)

    def _orchestrator_model(self) -> None:
        """`overrides` may name the model that decides, and `model_providers` where it is."""
        for key in _ORCHESTRATOR_OVERRIDES:
            name = self.tree.at(("overrides", key))
            location = self._provider(name) if name else None
            if name and self.tree.child("orchestrator"):
                self._warn(name, "has no effect: `orchestrator` says how to decide")
            elif name and location:
                self._decide_by(name, location)
            elif name:
                self._warn(name, "has no effect: it needs a model provider with a `base_url`")
            if name:
                self.tree = self.tree.put(("overrides", key), None)
        self._drop_each(("overrides",))

    def _provider(self, name: Node) -> Location | None:
        """Return where the provider of a model is, if it says at which address."""
        for key in _PROVIDERS:
            providers = self.tree.child(key)
            for part, provider in providers.children() if providers else ():
                names = (_text(provider, "name"), _text(provider, "model"))
                wanted = _model_id(str(name.value)) in [_model_id(each) for each in names if each]
                if wanted and provider.child("base_url"):
                    return (key, part)
        return None

    def _decide_by(self, name: Node, location: Location) -> None:
        provider = self.tree.at(location)
        parts = {
            "url": provider and provider.child("base_url"),
            "name": replace(name, value=_model_id(str(name.value))),
            "access_key": provider and provider.child("access_key"),
        }
        model = replace(name, value={key: node for key, node in parts.items() if node})
        orchestrator = {"strategy": replace(name, value="model"), "model": model}
        self.tree = self.tree.put(("orchestrator",), replace(name, value=orchestrator))
        for key in ("base_url", "access_key", "model", "name"):
            self.tree = self.tree.put((*location, key), None)
        self._drop_each(location)
        self._drop_each(location[:1])

    def _drop_each(self, location: Location) -> None:
        """Leave out what is left of a mapping or list, naming each part."""
        node = self.tree.at(location)
        parts = dict(node.children()) if node else {}
        for child in parts.values():
            if child.value != {}:
                self._warn(child, NO_EFFECT)
        if node and parts:
            self.tree = self.tree.put(location, replace(node, value={}))

    def _drop(self, location: Location, keys: tuple[str, ...]) -> None:
        """Leave keys without a meaning here out of the tree, and say so."""
        for key in keys:
            node = self.tree.at((*location, key))
            if node and node.value != {}:
                self._warn(node, NO_EFFECT)
            if node:
                self.tree = self.tree.put((*location, key), None)

    def _warn(self, node: Node, message: str) -> None:
        text = f"{path_text(node.path)}: {message}"
        self.warnings.append(node.fault(self.file, text, at_key=True))

    def _error(self, node: Node, message: str, *, at_key: bool = False) -> None:
        text = f"{path_text(node.path)}: {message}"
        self.errors.append(node.fault(self.file, text, at_key=at_key))


def _text(node: Node, key: str) -> str | None:
    child = node.child(key)
    return child.value if child and isinstance(child.value, str) else None


def _model_id(name: str) -> str:
    """Return a model's name without its provider: `plano/Plano-Orchestrator`."""
    return name.partition("/")[2] or name
