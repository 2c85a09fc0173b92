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

_TOP_KEYS: Final = (
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
_LISTENER_KEYS: Final = ("router", "max_retries", "message_format", "model_providers")
_TRACING_KEYS: Final = (
    "custom_attributes",
    "exporters",
    "opentracing_grpc_endpoint",
    "sampling_rate",
    "trace_arch_internal",
)
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
        self._drop((), _TOP_KEYS)

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
            if not isinstance(part, int):
                self._drop_loudly(listener, f"the listener {part!r} (Plano's old form)")
                self.tree = self.tree.put(("listeners", part), None)
            elif _text(listener, "type") in ("model", "prompt"):
                kind = _text(listener, "type")
                self._drop_loudly(listener, f"a listener of type {kind}")
                self.tree = self.tree.put(("listeners", part), None)
            else:
                self._listener(("listeners", part), listener)
        remaining = self.tree.child("listeners")
        if listeners.value and remaining and not remaining.value:
            self._error(listeners, "no listener of type agent is left to serve", at_key=True)
            self.tree = self.tree.put(("listeners",), None)

    def _drop_loudly(self, listener: Node, what: str) -> None:
        message = f"{what} is NOT SERVED: Outerloop serves listeners of type agent only"
        self._warn(listener, message)

    def _listener(self, location: Location, listener: Node) -> None:
        self._drop(location, _LISTENER_KEYS)
        self._filter_chain(location)
        agents = listener.child("agents")
        for part, _ in agents.children() if agents else ():
            self._filter_chain((*location, "agents", part))

    def _filter_chain(self, location: Location) -> None:
        """`filter_chain` is the older name of `input_filters`."""
        old = self.tree.at((*location, "filter_chain"))
        if old is None:
            return
        if self.tree.at((*location, "input_filters")):
            self._error(old, "means the same as `input_filters`: write one of them", at_key=True)
        else:
            self.tree = self.tree.put((*location, "input_filters"), old)
        self.tree = self.tree.put((*location, "filter_chain"), None)

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
        endpoint = self.tree.at(("tracing", "opentracing_grpc_endpoint"))
        if endpoint and self.tree.at(("tracing", "otlp_endpoint")) is None:
            self.tree = self.tree.put(("tracing", "otlp_endpoint"), endpoint)
            self.tree = self.tree.put(("tracing", "opentracing_grpc_endpoint"), None)
        self._drop(("tracing",), _TRACING_KEYS)

    def _orchestrator_model(self) -> None:
        """`overrides` may name the model that decides, and `model_providers` where it is."""
        overrides = self.tree.child("overrides")
        if overrides is None or not isinstance(overrides.value, dict):
            return
        name = next(filter(None, map(overrides.child, _ORCHESTRATOR_OVERRIDES)), None)
        provider = self._provider(name) if name else None
        url = provider.child("base_url") if provider else None
        if name and provider and url and self.tree.child("orchestrator") is None:
            model = {
                "url": url,
                "name": replace(name, value=_model_id(str(name.value))),
                "access_key": provider.child("access_key"),
            }
            section = replace(name, value={key: node for key, node in model.items() if node})
            strategy = replace(name, value="model")
            orchestrator = replace(name, value={"strategy": strategy, "model": section})
            self.tree = self.tree.put(("orchestrator",), orchestrator)
            self.tree = self.tree.put(("overrides", str(name.path[-1])), None)
        elif name:
            self._warn(name, "has no effect: it needs a model provider with a `base_url`")
            self.tree = self.tree.put(("overrides", str(name.path[-1])), None)
        rest = self.tree.child("overrides")
        self._drop(("overrides",), tuple(str(key) for key, _ in rest.children()) if rest else ())
        self.tree = self.tree.put(("overrides",), None)

    def _provider(self, name: Node) -> Node | None:
        for key in ("model_providers", "llm_providers"):
            providers = self.tree.child(key)
            for _, provider in providers.children() if providers else ():
                names = {_text(provider, "name"), _text(provider, "model")}
                if _model_id(str(name.value)) in {_model_id(each) for each in names if each}:
                    return provider
        return None

    def _drop(self, location: Location, keys: tuple[str, ...]) -> None:
        """Leave keys without a meaning here out of the tree, and say so."""
        for key in keys:
            node = self.tree.at((*location, key))
            if node:
                self._warn(node, NO_EFFECT)
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
