"""Each section of the page shows what is known to have happened."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.travel import BOTH, FLIGHT, INJECTION, WEATHER, Travel

CARD = "Book a flight, my card is 4111 1111 1111 1111"


@pytest.fixture(scope="module", autouse=True)
def traffic(travel: Travel) -> None:
    """Eleven requests: ten are routed, one of them to an agent that fails, and one is refused."""
    for _ in range(3):
        assert travel.ask(WEATHER).status_code == 200
    assert travel.ask(CARD).status_code == 200
    assert travel.ask(FLIGHT, x_test_status="500").status_code == 500
    assert travel.ask(BOTH, x_request_id="both").status_code == 200
    for _ in range(4):
        assert travel.ask("A room, please", "hotels").status_code == 200
    assert travel.ask(INJECTION, x_request_id="refused").status_code == 403


def pairs(page: Page, selector: str) -> dict[str, str]:
    found = page.locator(f"{selector} > div").all()
    return {
        each.locator("dt").inner_text(): each.locator("dd").first.inner_text() for each in found
    }


def rows(page: Page, body: str) -> dict[str, list[str]]:
    """Return the texts of the cells by the name of their row."""
    found = page.locator(f"#{body} tr").all()
    return {
        row.locator(".id").first.inner_text(): row.locator("td").all_inner_texts() for row in found
    }


def test_the_status_line(page: Page, travel: Travel) -> None:
    facts = pairs(page, "#facts")
    assert facts["Generation"] == "1"
    assert facts["Workers"] == "2/2 ready"
    assert facts["Envoy"] == "running"
    assert facts["Last reload"] == "none"
    for worker in travel.status()["workers"]:
        expect(page.locator("#facts")).to_contain_text(str(worker["pid"]))
    expect(page.locator("#notice p")).to_be_empty()


def test_requests_by_their_outcome(page: Page) -> None:
    figures = pairs(page, "#traffic")
    del figures["Per second"]
    assert figures == {
        "Requests": "11",
        "In flight": "0",
        "Routed": "10",
        "Rejected": "1",
        "Errors": "0",
        "Cancelled": "0",
    }


def test_agents_and_their_variants(page: Page) -> None:
    # Of a plan the first agent answers too, but the last one is what it was decided for.
    found = rows(page, "agents")
    assert list(found) == ["weather_agent", "flight_agent", "hotel_agent", "stable", "canary"]
    healthy, weight, decided, answers, _, errors, *_ = found["weather_agent"]
    assert (healthy, weight, decided, answers, errors) == ("1/1", "", "3", "4", "0")
    healthy, weight, decided, answers, _, errors, *_ = found["flight_agent"]
    assert (healthy, weight, decided, answers, errors) == ("1/1", "", "3", "3", "1 (33.3 %)")
    healthy, weight, decided, answers, _, errors, *_ = found["hotel_agent"]
    assert (healthy, weight, decided, answers, errors) == ("2/2", "", "4", "4", "0")
    assert (found["stable"][1], found["canary"][1]) == ("90 %", "10 %")
    assert int(found["stable"][3]) + int(found["canary"][3]) == 4


def test_times_of_agents_come_with_envoys_figures(page: Page) -> None:
    row = page.locator("#agents tr").first
    expect(row.locator("td").last).to_have_text(re.compile(r"[\d,]+ ms"))
    expect(row.locator("td").nth(6)).to_have_text(re.compile(r"[\d,]+ ms"))


def test_listeners_and_where_they_are(page: Page, travel: Travel) -> None:
    found = rows(page, "listeners")
    assert found["travel"][:2] == [
        "weather_agent (default), flight_agent, hotel_agent\nbefore: no_secrets, guard",
        "7",
    ]
    assert found["hotels"][:2] == ["hotel_agent (default)", "4"]
    for url in travel.stack.listeners.values():
        expect(page.locator("#listeners")).to_contain_text(url)


def test_filters_and_what_came_of_them(page: Page) -> None:
    found = rows(page, "filters")
    assert found["no_secrets"][:2] == ["passed 6, changed 1", "7"]
    assert found["guard"][:2] == ["passed 6, denied 1", "7"]
    assert all(re.fullmatch(r"[\d.]+ ms", each[2]) for each in found.values())


def test_decisions_with_their_scores_filters_and_steps(page: Page) -> None:
    expect(page.locator("#decisions-count")).to_have_text("11")
    both = page.locator("tbody", has=page.get_by_text("both", exact=True))
    _, plan, source, confidence, took, _ = both.locator(".decision td").all_inner_texts()
    assert (plan, source) == ("weather_agent → flight_agent", "embedded")
    assert re.fullmatch(r"0\.\d\d", confidence.strip())
    assert took.endswith(" ms")
    both.get_by_role("button").click()
    scores = both.locator(".scores tbody tr")
    expect(scores).to_have_count(3)
    expect(both.locator(".scores .chosen")).to_have_count(2)
    steps = both.get_by_role("table", name="Steps before the last agent")
    expect(steps.locator("tbody tr")).to_contain_text(["weather_agentok200"])
    filters = both.get_by_role("table", name="Filters", exact=True)
    expect(filters.locator("tbody tr")).to_contain_text(["no_secretsinputpassed", "guardinput"])


def test_a_refused_request_has_no_plan_and_says_why(page: Page) -> None:
    refused = page.locator("tbody", has=page.get_by_text("refused", exact=True))
    expect(refused.locator(".decision td").nth(1)).to_have_text("rejected")
    refused.get_by_role("button").click()
    expect(refused.get_by_role("table", name="Filters", exact=True)).to_contain_text("denied")
    expect(refused).to_contain_text("No scores")


def test_decisions_are_found_by_agent_and_request_id(page: Page) -> None:
    box = page.get_by_label("Agent or request id")
    box.fill("HOTEL")
    expect(page.locator("#decisions-count")).to_have_text("4 of 11")
    expect(page.locator(".decision:visible")).to_have_count(4)
    box.fill("refused")
    expect(page.locator(".decision:visible")).to_have_count(1)
    box.fill("nothing of that name")
    expect(page.get_by_text("No decision matches.")).to_be_visible()
    box.fill("")
    expect(page.locator(".decision:visible")).to_have_count(11)
