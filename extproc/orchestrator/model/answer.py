"""The model's answer: strict in what is a plan, lenient in how it is written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Final

import yaml

from extproc.errors import OrchestratorFailed
from extproc.json_scan import JsonValue

_REASONING_BEGINS: Final = re.compile(r"\s*<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_REASONING_ENDS: Final = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE: Final = re.compile(r"```[A-Za-z0-9]*\n?(.*?)```", re.DOTALL)
_OBJECT: Final = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
"""An object, or one that holds objects."""

_SEPARATORS: Final = re.compile(r"[\W_]+")
_ROUTE_KEYS: Final = frozenset({"route", "routes"})
_NAME_KEYS: Final = ("name", "id", "route", "agent")
_NO_AGENT: Final = frozenset({"none", "null", "noagent", "noroute", "noneofthem", "na"})
_LONGEST_ANSWER: Final = 16_384
_LONGEST_YAML: Final = 1_024
_MOST_BRACKETS: Final = 64
_MOST_CANDIDATES: Final = 8
"""PyYAML is slow: a client that talks the model into odd answers must not hold up all others."""


def parse_answer(body: bytes, agents: Collection[str]) -> tuple[str, ...]:
    """Return the agents that an answer of `/v1/chat/completions` names, each once, in its order.

    Empty where it names none, or none of `agents`. Names match whatever their case, blanks, hyphens
    and underscores. Raises `OrchestratorFailed` for an answer that cannot be read; the error
    quotes nothing of it.
    """
    text = _REASONING_ENDS.split(_content(body))[-1].strip()
    if not text or _REASONING_BEGINS.match(text):
        raise OrchestratorFailed("the model's answer is empty")
    if len(text) > _LONGEST_ANSWER:
        raise OrchestratorFailed("the model's answer is too long")
    known = _matcher(agents)
    for candidate in _candidates(text):
        names = _names(_decode(candidate))
        if names is not None:
            return tuple(dict.fromkeys(agent for name in names if (agent := known(name))))
    # Last of all, for an agent may be called `none`.
    plain = known(text)
    if plain or _plain(text) in _NO_AGENT:
        return (plain,) if plain else ()
    raise OrchestratorFailed("the model's answer names no route")


def _content(body: bytes) -> str:
    """Return the text of the answer's first choice."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, RecursionError):
        raise OrchestratorFailed("the model server's answer is not JSON") from None
    except (LookupError, TypeError):
        raise OrchestratorFailed("the model server's answer has no choices") from None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise OrchestratorFailed("the model's answer is empty")
    return content


def _candidates(text: str) -> Iterator[str]:
    """Yield what may be the plan, likeliest first: of several objects the last is the result."""
    yield text
    for pattern in (_FENCE, _OBJECT):
        yield from reversed(pattern.findall(text)[-_MOST_CANDIDATES:])


def _decode(text: str) -> JsonValue:
    """Decode JSON, or what models take for it: single quotes, bare words, a comma too many.

    YAML's flow style has all of them; its base loader makes nothing but texts, lists and mappings.
    """
    text = text.strip()
    if not text.startswith(("{", "[")):
        return None
    decoded: JsonValue = None
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        with suppress(yaml.YAMLError, ValueError, OverflowError, RecursionError):
            brackets = text.count("[") + text.count("{")
            if len(text) <= _LONGEST_YAML and brackets <= _MOST_BRACKETS:
                decoded = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - it makes no objects
    return decoded


def _names(value: JsonValue) -> list[str] | None:
    """Return the names in a decoded answer, or None where it has no place for them."""
    if isinstance(value, list):
        return [name for item in value if (name := _name(item)) is not None]
    if not isinstance(value, dict):
        return None
    for key, route in value.items():
        if key.strip().lower() not in _ROUTE_KEYS:
            continue
        if route is None:
            return []
        if isinstance(route, list | str | dict):
            return _names(route if isinstance(route, list) else [route])
    return None


def _name(item: JsonValue) -> str | None:
    if isinstance(item, dict):
        item = next((item[key] for key in _NAME_KEYS if key in item), None)
    return item if isinstance(item, str) else None


def _plain(name: str) -> str:
    """Return a name without what may differ: case, and all that is neither letter nor digit."""
    return _SEPARATORS.sub("", name).casefold()


def _matcher(agents: Collection[str]) -> Callable[[str], str | None]:
    """Return a function from a name to the agent it means, if it means one and only one."""
    counts = Counter(_plain(agent) for agent in agents)
    loose = {plain: agent for agent in agents if counts[plain := _plain(agent)] == 1 and plain}
    exact = set(agents)
    return lambda name: name if name in exact else loose.get(_plain(name))
