"""Deterministic rules of a listener: which agents a request gets, or may get."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from extproc.config.model.listeners import Rule as RuleConfig
from extproc.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Rule:
    """Either a plan (`agents`) or what a strategy may choose from (`allow`), in order."""

    method: str | None
    path: str | None
    headers: tuple[tuple[str, str], ...]
    agents: tuple[str, ...]
    allow: tuple[str, ...]

    def matches(self, request: HttpRequest) -> bool:
        """Return whether all that the rule names is so; of a repeated header any value counts."""
        return (
            (self.method is None or request.method == self.method)
            and (self.path is None or request.path == self.path)
            and all(value in request.headers.get_all(name) for name, value in self.headers)
        )


def compile_rules(
    rules: Sequence[RuleConfig], offered: Container[str], max_agents: int
) -> tuple[Rule, ...]:
    """Return the rules of a listener, in order.

    `allow` narrows what is `offered`, no more. `max_agents` cuts plans from the end.
    """
    return tuple(
        Rule(
            method=rule.when.method,
            path=rule.when.path,
            headers=tuple(_as_sent(*header) for header in rule.when.headers.items()),
            agents=(rule.agents or ())[:max_agents],
            allow=tuple(agent for agent in rule.allow or () if agent in offered),
        )
        for rule in rules
    )


def _as_sent(name: str, value: str) -> tuple[str, str]:
    """Return a header as `Headers` has it: by HTTP/2's name, in UTF-8 read as latin-1."""
    return ":authority" if name == "host" else name, value.encode().decode("latin-1")


def first_match(rules: Sequence[Rule], request: HttpRequest) -> Rule | None:
    """Return the first rule that matches, which is the one that counts."""
    for rule in rules:
        if rule.matches(request):
            return rule
    return None
