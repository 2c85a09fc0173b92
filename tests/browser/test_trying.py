"""The form that decides a text and says why."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.travel import BOTH, Travel


def decide(page: Page, text: str, listener: str = "travel") -> None:
    page.get_by_label("Listener", exact=True).select_option(listener)
    page.get_by_label("What a user says").fill(text)
    page.get_by_role("button", name="Decide").click()


def test_a_text_is_decided_and_explained(page: Page) -> None:
    decide(page, BOTH)
    expect(page.locator("#try-answer")).to_have_text("weather_agent → flight_agent")
    details = page.locator("#try-details")
    expect(details).to_contain_text("Sourceembedded")
    expect(details).to_contain_text("Whyby the built-in strategy")
    expect(details).to_contain_text(re.compile(r"Confidence0\.\d\d"))
    expect(details.locator("tbody tr")).to_have_count(3)
    expect(details.locator(".chosen")).to_have_count(2)
    flight = details.locator("tr", has=page.get_by_text("flight_agent"))
    expect(flight.locator("td").first).to_have_text(re.compile(r"0\.\d\d"))
    expect(flight.locator("td").last).to_contain_text("flight")


def test_another_listener_decides_otherwise(page: Page) -> None:
    decide(page, "Is it raining?", "hotels")
    expect(page.locator("#try-answer")).to_have_text("hotel_agent")
    expect(page.locator("#try-details")).to_contain_text("Whythere is no other")
    expect(page.locator("#try-details")).to_contain_text("No scores")


def test_the_keyboard_sends_it_too(page: Page) -> None:
    page.get_by_label("Listener", exact=True).select_option("travel")
    page.get_by_label("What a user says").fill("A hotel in Berlin")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#try-answer")).to_have_text("hotel_agent")


def test_what_is_refused_is_said(page: Page, watch: Watch) -> None:
    decide(page, "x" * 40_000)
    expect(page.locator("#try-answer")).to_contain_text("32768 bytes at most")
    # Chromium itself says so too.
    assert all("413" in problem for problem in watch.problems)
    watch.problems.clear()


def test_it_leaves_no_trace(page: Page, travel: Travel) -> None:
    before = travel.status()["requests"]
    decide(page, "Book a flight to a place that nobody knows")
    expect(page.locator("#try-answer")).to_have_text("flight_agent")
    time.sleep(3)
    assert travel.status()["requests"] == before
    expect(page.get_by_text("No decisions yet")).to_be_visible()


def test_a_form_that_is_filled_in_stays_so(page: Page) -> None:
    page.get_by_label("Listener", exact=True).select_option("hotels")
    box = page.get_by_label("What a user says")
    box.fill("half a")
    with page.expect_response("**/status"), page.expect_response("**/decisions*"):
        pass
    page.wait_for_timeout(200)
    expect(box).to_be_focused()
    page.keyboard.type(" sentence")
    expect(box).to_have_value("half a sentence")
    expect(page.get_by_label("Listener", exact=True)).to_have_value("hotels")
