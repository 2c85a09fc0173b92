from __future__ import annotations

from extproc.plan import STEP_GRACE, Decision, Plan, Source, longest_steps


def test_sources_are_the_contract_s_words() -> None:
    words = "single explicit rule embedded embeddings model default fallback"
    assert [source.value for source in Source] == words.split()


def test_the_last_agent_of_a_plan_is_the_one_routed_to() -> None:
    plan = Plan(("weather_agent", "flight_agent"), Source.MODEL)
    decision = Decision("travel", plan, cached=False, milliseconds=1.5)
    assert decision.agent == "flight_agent"


def test_a_plan_is_sure_and_unscored_unless_said() -> None:
    plan = Plan((), Source.EMBEDDED)
    assert (plan.confidence, plan.scores) == (1.0, {})


def test_reasons_add_up_and_do_not_make_another_plan() -> None:
    plan = Plan(("a",), Source.MODEL)
    assert plan.because("one").because("two").reason == "one; two"
    assert plan.because("one") == plan


def test_envoy_waits_longer_than_agents_that_take_all_their_time() -> None:
    """It must not give up while the processor still says what became of them."""
    assert longest_steps([10, 5], parallel=False) > 15 + 2 * STEP_GRACE
    assert 10 + STEP_GRACE < longest_steps([10, 5], parallel=True) < 15
    assert longest_steps([], parallel=True) == 0


def test_what_is_kept_of_a_plan_is_bounded() -> None:
    plan = Plan(("a",), Source.EMBEDDED, 0.9, {f"agent{n}": n / 1000 for n in range(1000)})
    assert list(plan.abridged().scores)[:2] == ["agent999", "agent998"]
    assert len(plan.abridged().scores) == 10
    assert plan.abridged() is plan.abridged()
    assert plan.abridged().abridged() is plan.abridged()
    assert len(plan.scores) == 1000
