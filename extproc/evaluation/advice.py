"""What would make decisions better, as far as the counts of an evaluation show it."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from extproc.evaluation.cases import Kind
from extproc.evaluation.confusions import Confusion
from extproc.evaluation.tally import Tally

_ENOUGH: Final = 3
"""Fewer cases than this are chance: nothing is said of them."""

_NOTEWORTHY: Final = 0.1
"""Share of the cases from which a fault is worth a suggestion."""

_GREEDY: Final = 0.3
"""Share of an agent's choices that were wrong, from which it takes what is others'."""

_ALIKE: Final = 0.1
"""Difference of scores below which the strategy saw hardly any between two agents."""

_NAMED: Final = 5
"""Most agents that one text names."""


class Topic(enum.StrEnum):
    """What a suggestion is about."""

    COLLISION = "collision"
    UNREACHED = "unreached"
    GREEDY = "greedy"
    NO_DESCRIPTION = "no_description"
    NO_EXAMPLES = "no_examples"
    TOO_STRICT = "too_strict"
    TOO_LENIENT = "too_lenient"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What `count` of `of` cases (where no case is concerned: of agents) speak for.

    `agents` are those it concerns, `text` is for a person.
    """

    agents_set: str
    topic: Topic
    agents: tuple[str, ...]
    count: int
    of: int
    text: str


def advise(tally: Tally) -> list[Suggestion]:
    """Return suggestions for one set of agents: those about decisions, then about the cases."""
    suggestions = [
        *_same_descriptions(tally),
        *_collisions(tally),
        *_greedy(tally),
        *_unreached(tally),
        *_too_strict(tally),
        *_too_lenient(tally),
        *_lacking(tally),
        *_untested(tally),
    ]
    order = list(Topic)
    return sorted(suggestions, key=lambda each: (order.index(each.topic), -each.count))


def _same_descriptions(tally: Tally) -> Iterator[Suggestion]:
    by_text: dict[str, list[str]] = defaultdict(list)
    for agent in tally.agents:
        by_text[" ".join(agent.description.casefold().split())].append(agent.id)
    for text, agents in by_text.items():
        if text and len(agents) > 1:
            yield Suggestion(
                tally.agents_set,
                Topic.COLLISION,
                tuple(agents),
                len(agents),
                len(tally.agents),
                f"{_names(agents)} have the same description: say what sets them apart",
            )


def _collisions(tally: Tally) -> Iterator[Suggestion]:
    pairs: dict[tuple[str, ...], list[Confusion]] = defaultdict(list)
    for confusion in tally.confusions:
        if confusion.expected is not None and confusion.got is not None:
            pairs[tuple(sorted((confusion.expected, confusion.got)))].append(confusion)
    for agents, ways in pairs.items():
        count = sum(way.count for way in ways)
        requests = sum(tally.expected[agent] for agent in agents)
        if count >= max(_ENOUGH, _NOTEWORTHY * requests):
            each = ", ".join(f"{way.expected} -> {way.got} {way.count}" for way in ways)
            text = (
                f"{agents[0]} and {agents[1]} collide: {count} of the {requests} requests for "
                f"either went to the other ({each}); {_cure(agents, ways)}"
            )
            yield Suggestion(tally.agents_set, Topic.COLLISION, agents, count, requests, text)


def _cure(agents: Sequence[str], ways: Sequence[Confusion]) -> str:
    """Tell descriptions that are too near each other from one that does not cover its requests."""
    scores = [r.prediction.scores for way in ways for r in way.results if r.prediction]
    known = [each for each in scores if all(agent in each for agent in agents)]
    alike = sum(abs(each[agents[0]] - each[agents[1]]) < _ALIKE for each in known)
    if not known:
        return "say in both descriptions what sets them apart"
    if 2 * alike >= len(known):
        return (
            f"in {alike} of them both scored nearly the same: "
            "say in both descriptions what sets them apart"
        )
    worst = ways[0]
    return (
        f"in {len(known) - alike} of them the wrong one scored clearly higher: describe such "
        f"requests at {worst.expected}, or give it examples (as in {worst.results[0].case.id})"
    )


def _greedy(tally: Tally) -> Iterator[Suggestion]:
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    for confusion in tally.confusions:
        if confusion.got is not None and confusion.expected is not None:
            taken[confusion.got][confusion.expected] += confusion.count
    for agent, others in taken.items():
        count, chosen = others.total(), tally.chosen[agent]
        if len(others) > 1 and count >= max(_ENOUGH, _GREEDY * chosen):
            text = (
                f"{agent} takes the requests of others: {count} of the {chosen} it got "
                f"({_counted(others)}); narrow its description to what is its own"
            )
            yield Suggestion(tally.agents_set, Topic.GREEDY, (agent,), count, chosen, text)


def _unreached(tally: Tally) -> Iterator[Suggestion]:
    missed = Counter({a: n for a, n in tally.expected.items() if not tally.chosen[a]})
    if missed:
        count = missed.total()
        text = (
            f"{_number(missed)} of {len(tally.agents)} never chosen, though {count} "
            f"requests were for them ({_counted(missed)}); describe these requests, give examples"
        )
        yield Suggestion(tally.agents_set, Topic.UNREACHED, tuple(missed), count, count, text)


def _too_strict(tally: Tally) -> Iterator[Suggestion]:
    others = [r for r in tally.results if r.case.kind is not Kind.NONE]
    turned_away = [r for r in others if not r.agents and r.case.expected]
    agents = Counter(agent for r in turned_away for agent in r.case.expected)
    if len(turned_away) >= max(_ENOUGH, _NOTEWORTHY * len(others)):
        text = (
            f"{len(turned_away)} of {len(others)} requests for an agent got none "
            f"({_counted(agents)}): the bar is too high for what the descriptions say; "
            "name these tasks in them, or give examples"
        )
        count = len(turned_away)
        yield Suggestion(
            tally.agents_set, Topic.TOO_STRICT, tuple(agents), count, len(others), text
        )


def _too_lenient(tally: Tally) -> Iterator[Suggestion]:
    nones = [r for r in tally.results if r.case.kind is Kind.NONE]
    accepted = [r for r in nones if r.agents]
    agents = Counter(agent for r in accepted for agent in r.agents)
    if len(accepted) >= max(_ENOUGH, _NOTEWORTHY * len(nones)):
        text = (
            f"{len(accepted)} of {len(nones)} requests that are no agent's got one "
            f"({_counted(agents)}): these descriptions promise too much"
        )
        yield Suggestion(
            tally.agents_set, Topic.TOO_LENIENT, tuple(agents), len(accepted), len(nones), text
        )


def _lacking(tally: Tally) -> Iterator[Suggestion]:
    lacks: Mapping[Topic, list[str]] = {
        Topic.NO_DESCRIPTION: [a.id for a in tally.agents if not a.description.strip()],
        Topic.NO_EXAMPLES: [a.id for a in tally.agents if not a.examples],
    }
    for topic, lacking in lacks.items():
        missed = Counter({agent: n for agent in lacking if (n := tally.missed[agent])})
        requests = sum(tally.expected[agent] for agent in lacking)
        count = missed.total()
        if count >= max(_ENOUGH, _NOTEWORTHY * requests):
            what = topic.removeprefix("no_")
            text = (
                f"{len(lacking)} of {len(tally.agents)} agents without {what} missed {count} of "
                f"their {requests} requests ({_counted(missed)}); write some"
            )
            yield Suggestion(tally.agents_set, topic, tuple(missed), count, requests, text)


def _untested(tally: Tally) -> Iterator[Suggestion]:
    untested = [agent.id for agent in tally.agents if not tally.expected[agent.id]]
    if untested:
        text = (
            f"no case is for {_names(untested)} ({len(untested)} of {len(tally.agents)} agents): "
            "add some, or nothing is known of them"
        )
        yield Suggestion(
            tally.agents_set,
            Topic.UNTESTED,
            tuple(untested),
            len(untested),
            len(tally.agents),
            text,
        )


def _number(agents: Counter[str]) -> str:
    return f"{len(agents)} agent{'s' if len(agents) > 1 else ''}"


def _counted(agents: Counter[str]) -> str:
    """Write `a 6, b 4, 2 more agents`, the most frequent first."""
    named = [f"{agent} {count}" for agent, count in agents.most_common(_NAMED)]
    more = len(agents) - len(named)
    return ", ".join([*named, f"{more} more"] if more else named)


def _names(agents: Sequence[str]) -> str:
    more = len(agents) - _NAMED
    return ", ".join([*agents[:_NAMED], f"{more} more"] if more > 0 else agents)
