from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from extproc.evaluation.advice import Suggestion, Topic, advise
from extproc.evaluation.decide import Result
from extproc.evaluation.tally import tally
from extproc.orchestrator.api import AgentInfo

MakeResult = Callable[..., Result]
ABC = tuple(AgentInfo(name, f"What {name} does.", (f"do {name}",)) for name in "abc")


def suggestions(
    results: Sequence[Result], topic: Topic, agents: Sequence[AgentInfo] = ABC
) -> list[Suggestion]:
    return [each for each in advise(tally("desk", agents, results)) if each.topic is topic]


def test_nothing_is_said_where_all_is_right(result: MakeResult) -> None:
    assert advise(tally("desk", ABC, [result(name, name) for name in "abc"])) == []


def test_agents_often_taken_for_each_other_collide(result: MakeResult) -> None:
    wrong = [result("a", "b"), result("a", "b"), result("b", "a")]
    right = [result("a", "a") for _ in range(4)]
    (found,) = suggestions([*wrong, *right], Topic.COLLISION)
    assert (found.agents, found.count, found.of) == (("a", "b"), 3, 7)
    assert "3 of the 7 requests for either went to the other (a -> b 2, b -> a 1)" in found.text
    assert found.text.endswith("say in both descriptions what sets them apart")


def test_two_mistakes_are_chance(result: MakeResult) -> None:
    assert suggestions([result("a", "b"), result("b", "a")], Topic.COLLISION) == []


def test_few_mistakes_among_many_cases_are_no_collision(result: MakeResult) -> None:
    results = [*(result("a", "b") for _ in range(3)), *(result("a", "a") for _ in range(40))]
    assert suggestions(results, Topic.COLLISION) == []


@pytest.mark.parametrize(
    ("of_a", "advice"),
    [
        (0.85, "in 3 of them both scored nearly the same: say in both"),
        (0.2, "in 3 of them the wrong one scored clearly higher: describe such requests at a, or"),
    ],
)
def test_scores_tell_a_collision_from_a_gap(of_a: float, advice: str, result: MakeResult) -> None:
    results = [result("a", "b", scores={"a": of_a, "b": 0.9}) for _ in range(3)]
    (found,) = suggestions(results, Topic.COLLISION)
    assert advice in found.text
    assert ("as in case-1" in found.text) is (of_a < 0.5)


def test_same_descriptions_collide_whatever_was_decided(result: MakeResult) -> None:
    agents = [AgentInfo("a", "Books  flights."), AgentInfo("b", "books flights."), AgentInfo("c")]
    (found,) = suggestions([result("a", "a")], Topic.COLLISION, agents)
    assert (found.agents, found.count, found.of) == (("a", "b"), 2, 3)
    assert "a, b have the same description" in found.text


def test_an_agent_that_nobody_reaches(result: MakeResult) -> None:
    results = [result("a", "b"), result("a", ""), result("b", "b"), result("c", "b")]
    (found,) = suggestions(results, Topic.UNREACHED)
    assert (found.agents, found.count) == (("a", "c"), 3)
    assert "2 agents of 3 never chosen, though 3 requests were for them (a 2, c 1)" in found.text


def test_an_agent_that_takes_what_is_others(result: MakeResult) -> None:
    wrong = [result("b", "a"), result("b", "a"), result("c", "a")]
    (found,) = suggestions([*wrong, result("a", "a")], Topic.GREEDY)
    assert (found.agents, found.count, found.of) == (("a",), 3, 4)
    assert "3 of the 4 it got (b 2, c 1)" in found.text


def test_taking_from_one_other_is_a_collision_and_not_greed(result: MakeResult) -> None:
    assert suggestions([result("b", "a") for _ in range(5)], Topic.GREEDY) == []


def test_a_bar_that_is_too_high(result: MakeResult) -> None:
    results = [*(result("a", "") for _ in range(3)), result("b", "b"), result("", "")]
    (found,) = suggestions(results, Topic.TOO_STRICT)
    assert (found.agents, found.count, found.of) == (("a",), 3, 4)
    assert "3 of 4 requests for an agent got none (a 3)" in found.text


def test_a_bar_that_is_too_low(result: MakeResult) -> None:
    results = [result("", "a"), result("", "a"), result("", "b"), result("", ""), result("a", "a")]
    (found,) = suggestions(results, Topic.TOO_LENIENT)
    assert (found.agents, found.count, found.of) == (("a", "b"), 3, 4)
    assert "3 of 4 requests that are no agent's got one (a 2, b 1)" in found.text


@pytest.mark.parametrize(
    ("topic", "lacking"),
    [
        (Topic.NO_DESCRIPTION, AgentInfo("a", " ", ("do a",))),
        (Topic.NO_EXAMPLES, AgentInfo("a", "What a does.")),
    ],
)
def test_agents_that_lack_something_and_miss_requests(
    topic: Topic, lacking: AgentInfo, result: MakeResult
) -> None:
    agents = [lacking, *ABC[1:]]
    results = [*(result("a", "b") for _ in range(3)), result("a", "a"), result("b", "c")]
    (found,) = suggestions(results, topic, agents)
    assert (found.agents, found.count, found.of) == (("a",), 3, 4)
    assert "missed 3 of their 4 requests (a 3)" in found.text
    assert suggestions([result("a", "a")], topic, agents) == []


def test_agents_that_no_case_is_for(result: MakeResult) -> None:
    (found,) = suggestions([result("a", "a")], Topic.UNTESTED)
    assert (found.agents, found.count, found.of) == (("b", "c"), 2, 3)
    assert "no case is for b, c (2 of 3 agents)" in found.text


def test_few_of_many_agents_are_named(result: MakeResult) -> None:
    agents = [AgentInfo(name, name) for name in "abcdefgh"]
    (untested,) = suggestions([result("a", "a")], Topic.UNTESTED, agents)
    assert "b, c, d, e, f, 2 more" in untested.text
    (unreached,) = suggestions([result(name, "") for name in "abcdefgh"], Topic.UNREACHED, agents)
    assert "(a 1, b 1, c 1, d 1, e 1, 3 more)" in unreached.text
    assert len(unreached.agents) == 8


def test_the_weightiest_stands_first(result: MakeResult) -> None:
    results = [
        *(result("a", "b") for _ in range(3)),
        *(result("c", "b") for _ in range(4)),
    ]
    topics = [(each.topic, each.count) for each in advise(tally("desk", ABC, results))]
    assert topics == [
        (Topic.COLLISION, 4),
        (Topic.COLLISION, 3),
        (Topic.UNREACHED, 7),
        (Topic.GREEDY, 7),
        (Topic.UNTESTED, 1),
    ]
