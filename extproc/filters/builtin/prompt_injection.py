"""`prompt_injection`: refuses or tags requests that try to take over an agent, by rules alone."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final, Literal

from pydantic import Field

from extproc.filters.api import KEEP, Keep, Subject, Verdict
from extproc.filters.builtin.injection.rules import RULES, RuleId, find, signs_without
from extproc.filters.builtin.injection.speakers import Role, written_by
from extproc.filters.builtin.options import Refusal
from extproc.filters.builtin.reading import judge

TAG: Final = "prompt-injection"

_MESSAGE: Final = "this looks like an attempt to override the agent's instructions"
_WEIGHT: Final = 8
"""To look into a byte costs as much as to read that many."""
_KNOWN: Final = 8192
"""Texts whose findings are kept: a conversation comes back whole with each of its turns."""


class PromptInjection:
    """Looks for attacks in what users and tools wrote; developer and assistant are trusted."""

    phases = frozenset({"input"})

    class Options(Refusal):
        """Options of `prompt_injection`."""

        action: Literal["deny", "tag"] = Field(
            "deny", description="refuse, or let it go on with a tag that names the rules"
        )
        roles: tuple[Role, ...] = Field(
            ("user", "tool"), min_length=1, description="whose texts are looked at"
        )
        threshold: float = Field(
            1,
            gt=0,
            le=4,
            description="sum of a rule's weights that is an attack: lower finds more, and more that"
            " is none",
        )
        exclude: tuple[RuleId, ...] = Field((), description="rules that are left out")

    def __init__(self, options: Options) -> None:
        self._options = options
        self._signs = signs_without(options.exclude)
        self._known: OrderedDict[bytes, frozenset[str]] = OrderedDict()

    async def apply(self, subject: Subject, /) -> Verdict:
        """Refuse or tag a request in which rules find an attack."""
        return await judge(subject, self._judge, weight=_WEIGHT)

    def _judge(self, subject: Subject) -> Verdict:
        rules = self._rules(subject.body)
        if not rules:
            return KEEP
        note = ", ".join(rules)
        if self._options.action == "deny":
            return self._options.deny(_MESSAGE, note)
        return Keep(tags=((TAG, ",".join(rules)),), note=note)

    def _rules(self, body: bytes) -> list[str]:
        """Return the rules that a request breaks, in their order."""
        found: set[str] = set()
        for text in written_by(body, self._options.roles):
            found |= self._broken_by(text)
        return [rule for rule in RULES if rule in found]

    def _broken_by(self, text: str) -> frozenset[str]:
        # Steps on the dictionary are single calls: requests in several threads share it.
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = self._known.pop(key, None)
        if found is None:
            broken = find(text, self._signs, self._options.threshold)
            found = frozenset(broken).difference(self._options.exclude)
        self._known[key] = found
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return found
