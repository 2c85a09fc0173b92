from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from extproc.availability import Availability
from extproc.config.model.listeners import Rule as RuleConfig
from extproc.conversation import Api, Conversation, Message
from extproc.deciding import Decider
from extproc.errors import NoAgentFits, OrchestratorFailed
from extproc.http import Headers, HttpRequest
from extproc.json_document import parse
from extproc.orchestrator.api import Question
from extproc.plan import Plan, Source
from extproc.rules import Rule, compile_rules

MakeDecider = Callable[..., Decider]


def say(*messages: Message | str, model: str | None = None) -> Conversation:
    """A conversation; plain texts are the user's."""
    spoken = tuple(
        each if isinstance(each, Message) else Message("user", each) for each in messages
    )
    return Conversation(Api.CHAT, parse(b"{}", max_depth=4), model, spoken)


def answer(text: str = "here you are", by: str | None = None) -> Message:
    return Message("assistant", text, by)


TOOLS = Message("tool", "42")


def request(**headers: str) -> HttpRequest:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest("POST", Api.CHAT, Headers(pairs))


def rules(*documents: dict[str, Any]) -> tuple[Rule, ...]:
    return compile_rules([RuleConfig.model_validate(each) for each in documents], "abc", 3)


def by_words(question: Question) -> Plan:
    """Chooses the agent that the turn's text names, stays for `more`, fits nothing else."""
    text = question.conversation.messages[-1].text
    for agent in ("a", "b", "c"):
        if agent in text.split():
            return Plan((agent,), Source.EMBEDDED, 0.9)
    if text == "more" and question.previous is not None:
        return Plan((question.previous,), Source.EMBEDDED, 0.8)
    return Plan((), Source.EMBEDDED, 0.7)


def among_the_allowed(question: Question) -> Plan:
    """Chooses the first agent that the turn's text names and that may be chosen."""
    words = question.conversation.messages[-1].text.split()
    for agent in ("a", "b", "c"):
        if agent in words and (question.allowed is None or agent in question.allowed):
            return Plan((agent,), Source.EMBEDDED, 0.9)
    return Plan((), Source.EMBEDDED, 0.7)


async def plan_of(decider: Decider, conversation: Conversation, **headers: str) -> Plan:
    return (await decider.decide(request(**headers), conversation))[0]


async def test_the_strategy_decides_and_is_asked_about_the_turn_alone(
    make_decider: MakeDecider, scripted: Any
) -> None:
    strategy = scripted(Plan(("a",), Source.EMBEDDED, 0.9))
    decider = make_decider(strategy=strategy)
    plan = await plan_of(decider, say("one", answer(), "two", answer("prefilled")))
    assert plan == Plan(("a",), Source.EMBEDDED, 0.9)
    [question] = strategy.asked
    assert [message.text for message in question.conversation.messages] == [
        "one",
        "here you are",
        "two",
    ]
    assert (question.allowed, question.previous) == (None, None)


async def test_a_model_that_is_an_agent_is_that_agent(
    make_decider: MakeDecider, scripted: Any
) -> None:
    decider = make_decider(strategy=scripted(OrchestratorFailed("must not be asked")))
    assert await plan_of(decider, say("x", model="b")) == Plan(("b",), Source.EXPLICIT)


async def test_a_model_that_is_no_agent_is_just_a_model(make_decider: MakeDecider) -> None:
    assert (await plan_of(make_decider(), say("x", model="B"))).source is Source.EMBEDDED


async def test_the_only_agent_needs_no_strategy(make_decider: MakeDecider, scripted: Any) -> None:
    strategy = scripted(OrchestratorFailed("must not be asked"))
    decider = make_decider(agents=("a",), default="a", strategy=strategy)
    assert await plan_of(decider, say("x")) == Plan(("a",), Source.SINGLE)


async def test_no_agent_fits(make_decider: MakeDecider, scripted: Any) -> None:
    none = scripted(Plan((), Source.EMBEDDED, 0.7, {"a": 0.1}))
    plan = await plan_of(make_decider(strategy=none), say("x"))
    assert plan == Plan(("b",), Source.DEFAULT, 0.7, {"a": 0.1})
    with pytest.raises(NoAgentFits):
        await plan_of(make_decider(strategy=none, reject_none=True), say("x"))


async def test_a_strategy_that_cannot_decide(make_decider: MakeDecider, scripted: Any) -> None:
    failing = scripted(OrchestratorFailed("refused"))
    plan = await plan_of(make_decider(strategy=failing), say("x"))
    assert plan == Plan(("b",), Source.FALLBACK, 0.0)
    with pytest.raises(OrchestratorFailed):
        await plan_of(make_decider(strategy=failing, reject_error=True), say("x"))


async def test_what_failed_is_logged_without_the_conversation(
    make_decider: MakeDecider, scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    failing = scripted(OrchestratorFailed("the model server answered 500"))
    plan = await plan_of(make_decider(strategy=failing), say("very secret"))
    assert caplog.messages == ["the model server answered 500: b gets the request"]
    assert plan.reason == "the model server answered 500: the default agent gets it"


async def test_where_no_user_speaks_there_is_nothing_to_ask(
    make_decider: MakeDecider, scripted: Any
) -> None:
    strategy = scripted(OrchestratorFailed("must not be asked"))
    plan = await plan_of(make_decider(strategy=strategy), say(Message("system", "x")))
    assert plan == Plan(("b",), Source.DEFAULT, 0.0)


class TestRules:
    async def test_a_rule_with_agents_is_the_plan(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        decider = make_decider(
            strategy=scripted(OrchestratorFailed("must not be asked")),
            rules=rules({"when": {"headers": {"x-tenant": "acme"}}, "agents": ["legacy", "b"]}),
        )
        plan = await plan_of(decider, say("x", model="a"), x_tenant="acme")
        assert plan == Plan(("legacy", "b"), Source.RULE)

    async def test_a_rule_that_does_not_match_changes_nothing(
        self, make_decider: MakeDecider
    ) -> None:
        decider = make_decider(rules=rules({"when": {"method": "GET"}, "agents": ["b"]}))
        assert (await plan_of(decider, say("x"))).source is Source.EMBEDDED

    async def test_allow_limits_strategy_client_and_default(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        strategy = scripted(Plan((), Source.EMBEDDED))
        decider = make_decider(
            agents=("a", "b", "c"), strategy=strategy, rules=rules({"allow": ["c", "a"]})
        )
        plan = await plan_of(decider, say("x", model="b"))
        # The default agent, b, is left out: the first allowed one takes its place.
        assert (plan.agents, plan.source) == (("c",), Source.DEFAULT)
        assert strategy.asked[0].allowed == {"a", "c"}
        assert await plan_of(decider, say("x", model="a")) == Plan(("a",), Source.EXPLICIT)

    async def test_one_allowed_agent_needs_no_strategy(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        decider = make_decider(
            strategy=scripted(OrchestratorFailed("must not be asked")),
            rules=rules({"allow": ["a"]}),
        )
        assert await plan_of(decider, say("x")) == Plan(("a",), Source.SINGLE)


class TestMemory:
    async def test_the_same_conversation_is_decided_once(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        strategy = scripted(Plan(("a",), Source.EMBEDDED, 0.9))
        decider = make_decider(strategy=strategy)
        first = await decider.decide(request(), say("x"))
        second = await decider.decide(request(), say("x"))
        assert first == (Plan(("a",), Source.EMBEDDED, 0.9), False)
        assert second == (Plan(("a",), Source.EMBEDDED, 0.9), True)
        assert len(strategy.asked) == 1

    async def test_another_conversation_or_another_choice_is_another_decision(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        strategy = scripted(by_words)
        decider = make_decider(
            agents=("a", "b", "c"),
            strategy=strategy,
            rules=rules({"when": {"headers": {"x-plan": "free"}}, "allow": ["a", "c"]}),
        )
        for conversation, headers in (
            (say("x"), {}),
            (say("y"), {}),
            (say("x"), {"x_plan": "free"}),
            (say("z", answer(), "x"), {}),
        ):
            assert not (await decider.decide(request(**headers), conversation))[1]

    async def test_what_the_system_says_does_not_matter(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        decider = make_decider(strategy=scripted(by_words))
        await decider.decide(request(), say(Message("system", "one"), "a"))
        assert (await decider.decide(request(), say(Message("system", "two"), "a")))[1]

    async def test_a_fallback_is_not_remembered(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        strategy = scripted(OrchestratorFailed("refused"))
        decider = make_decider(strategy=strategy)
        await plan_of(decider, say("x"))
        strategy.answer = Plan(("a",), Source.MODEL, 0.9)
        assert await plan_of(decider, say("x")) == Plan(("a",), Source.MODEL, 0.9)

    async def test_that_no_agent_fits_is_remembered(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        decider = make_decider(strategy=scripted(by_words))
        await decider.decide(request(), say("x"))
        plan, cached = await decider.decide(request(), say("x"))
        assert (plan.source, cached) == (Source.DEFAULT, True)


async def test_a_makeshift_plan_is_not_remembered(make_decider: MakeDecider, scripted: Any) -> None:
    strategy = scripted(Plan(("a",), Source.EMBEDDED, lasting=False))
    decider = make_decider(strategy=strategy)
    for _ in range(2):
        _, cached = await decider.decide(request(), say("x"))
        assert not cached
    assert len(strategy.asked) == 2


class TestReasons:
    """Why a plan is as it is, where its source does not tell."""

    @pytest.mark.parametrize(
        ("conversation", "rule", "reason"),
        [
            (say("x"), {"agents": ["c"]}, "rule 2 names it"),
            (say("x"), {"allow": ["b"]}, "rule 2 allows no other"),
            (say("x", model="b"), {"allow": ["a", "b"]}, "`model` names the agent"),
            (say(Message("system", "x")), {"allow": ["a", "b"]}, "no user speaks; no agent fits"),
            (say("x"), {"allow": ["a", "b"]}, "no agent fits: the default one gets it"),
            (say("x", answer("", "a"), TOOLS), {"allow": ["a", "b"]}, "tool results go to"),
        ],
    )
    async def test_each_has_its_own(
        self,
        make_decider: MakeDecider,
        scripted: Any,
        conversation: Conversation,
        rule: dict[str, Any],
        reason: str,
    ) -> None:
        never = {"when": {"method": "PUT"}, "agents": ["a"]}
        decider = make_decider(strategy=scripted(by_words), rules=rules(never, rule))
        assert (await plan_of(decider, conversation)).reason.startswith(reason)

    async def test_where_there_is_one_agent(self, make_decider: MakeDecider) -> None:
        decider = make_decider(agents=("a",), default="a")
        assert (await plan_of(decider, say("x"))).reason == "there is no other"

    async def test_what_a_strategy_says_is_passed_on(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        asked_on = Plan(("a",), Source.MODEL, reason="a server was asked")
        decider = make_decider(strategy=scripted(asked_on))
        assert (await plan_of(decider, say("x"))).reason == "a server was asked"

    async def test_a_remembered_plan_keeps_the_best_scores_alone(
        self, make_decider: MakeDecider, scripted: Any
    ) -> None:
        scores = {f"agent{number}": number / 1000 for number in range(1000)}
        strategy = scripted(Plan(("a",), Source.EMBEDDED, 0.9, scores))
        decider = make_decider(strategy=strategy)
        assert len((await plan_of(decider, say("x"))).scores) == 1000
        kept = (await plan_of(decider, say("x"))).scores
        assert list(kept)[:2] == ["agent999", "agent998"]
        assert len(kept) == 10


class TestPrevious:
    @pytest.fixture
    def decider(self, make_decider: MakeDecider, scripted: Any) -> Decider:
        strategy = scripted(by_words)
        return make_decider(agents=("a", "b", "c"), strategy=strategy, local=strategy)

    async def test_the_name_of_the_answer_tells(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("what?", answer(by="c"), "more"))
        assert plan.agents == ("c",)

    async def test_a_name_that_is_no_agent_tells_nothing(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("to b", answer(by="bob"), "more"))
        assert plan.agents == ("b",)

    async def test_earlier_turns_are_decided_again_oldest_first(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("to c", answer(), "more", answer(), "more"))
        assert plan.agents == ("c",)

    async def test_a_remembered_decision_spares_it(self, decider: Decider) -> None:
        await plan_of(decider, say("to c"))
        asked = len(decider.strategy.asked)  # type: ignore[attr-defined] # the scripted one
        await plan_of(decider, say("to c", answer(), "more"))
        assert len(decider.strategy.asked) == asked + 1  # type: ignore[attr-defined] # as above

    async def test_thanks_in_between_do_not_lose_it(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("to c", answer(), "thanks", answer(), "more"))
        assert plan.agents == ("c",)

    async def test_only_the_last_turns_are_decided_again(self, decider: Decider) -> None:
        turns = [each for _ in range(30) for each in ("more", answer())]
        await plan_of(decider, say("to c", *turns, "more"))
        assert len(decider.strategy.asked) <= 10  # type: ignore[attr-defined] # the scripted one

    async def test_a_strategy_that_reads_by_itself_is_not_asked_twice(
        self, decider: Decider
    ) -> None:
        alone = dataclasses.replace(decider, local=None)
        await plan_of(alone, say("to c", answer(), "more"))
        assert len(decider.strategy.asked) == 1  # type: ignore[attr-defined] # the scripted one

    async def test_a_name_without_text_tells_conversations_apart(self, decider: Decider) -> None:
        """An assistant that only calls tools is somebody all the same."""
        for agent in ("a", "b"):
            conversation = say("go", answer("", by=agent), TOOLS, answer("done"), "more")
            assert (await plan_of(decider, conversation)).agents == (agent,)

    async def test_an_agent_that_is_not_allowed_is_not_previous(self, decider: Decider) -> None:
        limited = dataclasses.replace(decider, rules=rules({"allow": ["a", "b"]}))
        plan = await plan_of(limited, say("what?", answer(by="c"), "more"))
        assert plan.source is Source.DEFAULT


class TestSessions:
    @pytest.fixture
    def decider(self, make_decider: MakeDecider, scripted: Any) -> Decider:
        return make_decider(
            agents=("a", "b", "c"), strategy=scripted(by_words), session_header="x-chat"
        )

    async def test_a_session_remembers_the_agent_where_only_the_last_turn_is_sent(
        self, decider: Decider
    ) -> None:
        await plan_of(decider, say("to c"), x_chat="1")
        await plan_of(decider, say("to a"), x_chat="2")
        assert (await plan_of(decider, say("more"), x_chat="1")).agents == ("c",)
        assert (await plan_of(decider, say("more"), x_chat="2")).agents == ("a",)
        assert (await plan_of(decider, say("more"), x_chat="3")).source is Source.DEFAULT
        assert (await plan_of(decider, say("more"))).source is Source.DEFAULT

    async def test_a_session_keeps_the_best_scores_alone(
        self, decider: Decider, scripted: Any
    ) -> None:
        scores = {f"agent{number}": number / 1000 for number in range(1000)}
        wide = dataclasses.replace(
            decider, strategy=scripted(Plan(("a",), Source.MODEL, 1, scores))
        )
        await plan_of(wide, say("x"), x_chat="1")
        continued = await plan_of(wide, say("y", answer(), TOOLS), x_chat="1")
        assert len(continued.scores) == 10

    async def test_thanks_do_not_end_it(self, decider: Decider) -> None:
        await plan_of(decider, say("to c"), x_chat="1")
        assert (await plan_of(decider, say("thanks"), x_chat="1")).source is Source.DEFAULT
        assert (await plan_of(decider, say("more"), x_chat="1")).agents == ("c",)


class TestContinuations:
    @pytest.fixture
    def decider(self, make_decider: MakeDecider, scripted: Any) -> Decider:
        strategy = scripted(by_words)
        return make_decider(
            agents=("a", "b", "c"), strategy=strategy, local=strategy, session_header="x-chat"
        )

    async def test_the_turn_is_decided_again(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("to c", answer(), TOOLS))
        assert (plan.agents, plan.source) == (("c",), Source.EMBEDDED)

    async def test_only_the_last_agent_of_the_turns_plan_goes_on(
        self, decider: Decider, scripted: Any
    ) -> None:
        several = scripted(Plan(("a", "b"), Source.MODEL, 0.9))
        several_steps = dataclasses.replace(decider, strategy=several, local=None)
        plan = await plan_of(several_steps, say("do both", answer(), TOOLS))
        assert (plan.agents, plan.source) == (("b",), Source.MODEL)

    async def test_a_rules_plan_goes_on_with_its_last_agent(self, decider: Decider) -> None:
        ruled = dataclasses.replace(decider, rules=rules({"agents": ["a", "b"]}))
        plan = await plan_of(ruled, say("x", answer(), TOOLS))
        assert (plan.agents, plan.source) == (("b",), Source.RULE)

    async def test_the_name_of_the_message_that_asked_tells(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("to c", answer(by="b"), TOOLS, TOOLS))
        assert (plan.agents, plan.source) == (("b",), Source.EXPLICIT)

    async def test_a_name_of_an_earlier_turn_tells_nothing(self, decider: Decider) -> None:
        plan = await plan_of(decider, say("x", answer(by="b"), "to c", answer(), TOOLS))
        assert plan.agents == ("c",)

    async def test_the_session_tells_even_after_the_default_agent(self, decider: Decider) -> None:
        await plan_of(decider, say("to c"), x_chat="1")
        await plan_of(decider, say("something else"), x_chat="1")
        plan = await plan_of(decider, say(TOOLS), x_chat="1")
        assert (plan.agents, plan.source) == (("b",), Source.DEFAULT)

    async def test_tools_out_of_nowhere_go_to_the_default(self, decider: Decider) -> None:
        plan = await plan_of(decider, say(TOOLS))
        assert plan.source is Source.DEFAULT


class TestAvailability:
    """Strategies do not choose what is down."""

    @pytest.fixture
    def availability(self) -> Availability:
        return Availability()

    @pytest.fixture
    def decider(
        self, make_decider: MakeDecider, scripted: Any, availability: Availability
    ) -> Decider:
        return make_decider(
            agents=("a", "b", "c"),
            strategy=scripted(among_the_allowed),
            session_header="x-chat",
            availability=availability,
        )

    async def test_an_agent_that_is_down_is_not_chosen(
        self, decider: Decider, availability: Availability
    ) -> None:
        assert (await plan_of(decider, say("a or b"))).agents == ("a",)
        availability.down = frozenset("a")
        assert (await plan_of(decider, say("a or b"))).agents == ("b",)
        availability.down = frozenset()
        assert (await plan_of(decider, say("a or b"))).agents == ("a",)

    async def test_where_all_are_down_all_may_be_chosen(
        self, decider: Decider, availability: Availability
    ) -> None:
        availability.down = frozenset("abc")
        assert (await plan_of(decider, say("a or b"))).agents == ("a",)

    async def test_nobody_is_left_out_where_nobody_knows_what_is_down(
        self, decider: Decider
    ) -> None:
        unaware = dataclasses.replace(decider, availability=None)
        assert (await plan_of(unaware, say("a or b"))).agents == ("a",)

    async def test_a_default_agent_that_is_down_is_replaced(
        self, decider: Decider, availability: Availability
    ) -> None:
        availability.down = frozenset("ab")
        for conversation in (say("nobody"), say(Message("system", "x"))):
            plan = await plan_of(decider, conversation)
            assert (plan.agents, plan.source) == (("c",), Source.DEFAULT)

    async def test_a_strategy_that_cannot_decide_does_not_bring_it_back(
        self, decider: Decider, availability: Availability, scripted: Any
    ) -> None:
        availability.down = frozenset("b")
        failing = dataclasses.replace(decider, strategy=scripted(OrchestratorFailed("refused")))
        plan = await plan_of(failing, say("x"))
        assert (plan.agents, plan.source) == (("a",), Source.FALLBACK)

    async def test_where_a_rule_allows_some_those_of_them_that_are_up_may_be_chosen(
        self, decider: Decider, availability: Availability
    ) -> None:
        limited = dataclasses.replace(decider, rules=rules({"allow": ["a", "c"]}))
        availability.down = frozenset("a")
        assert (await plan_of(limited, say("a or b or c"))).agents == ("c",)
        availability.down = frozenset("ac")
        assert (await plan_of(limited, say("a or b or c"))).agents == ("a",)

    async def test_a_client_that_names_an_agent_gets_it(
        self, decider: Decider, availability: Availability
    ) -> None:
        availability.down = frozenset("a")
        assert await plan_of(decider, say("b", model="a")) == Plan(("a",), Source.EXPLICIT)

    @pytest.mark.parametrize(
        ("rule", "source"), [({"agents": ["a"]}, Source.RULE), ({"allow": ["a"]}, Source.SINGLE)]
    )
    async def test_a_rule_that_leaves_no_choice_holds(
        self,
        decider: Decider,
        availability: Availability,
        rule: dict[str, list[str]],
        source: Source,
    ) -> None:
        availability.down = frozenset("a")
        ruled = dataclasses.replace(decider, rules=rules(rule))
        assert await plan_of(ruled, say("b")) == Plan(("a",), source)

    async def test_tool_results_go_to_who_asked_for_them(
        self, decider: Decider, availability: Availability
    ) -> None:
        await plan_of(decider, say("a"), x_chat="1")
        availability.down = frozenset("a")
        by_name = await plan_of(decider, say("b", answer(by="a"), TOOLS))
        by_session = await plan_of(decider, say("a", answer(), TOOLS), x_chat="1")
        assert by_name.agents == by_session.agents == ("a",)

    async def test_the_agent_of_the_turn_before_does_not_keep_what_it_cannot_answer(
        self, decider: Decider, availability: Availability
    ) -> None:
        await plan_of(decider, say("a"), x_chat="1")
        availability.down = frozenset("a")
        assert (await plan_of(decider, say("a or b"), x_chat="1")).agents == ("b",)
