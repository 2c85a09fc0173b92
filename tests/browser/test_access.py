"""Whoever uses the page: by keyboard, by ear, in the dark or on a small screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.travel import BOTH, FLIGHT, INJECTION, WEATHER, Travel

CHECKS = (Path(__file__).parent / "access.js").read_text()


@pytest.fixture(scope="module", autouse=True)
def traffic(travel: Travel) -> None:
    """Something of every colour: an agent that fails, a refusal, a reload that was not taken."""
    travel.ask(WEATHER)
    travel.ask(FLIGHT, x_test_status="500")
    travel.ask(BOTH, x_request_id="both")
    travel.ask(INJECTION)
    travel.file.write_text(travel.file.read_text() + "nonsense: 1\n")


def fill(page: Page) -> Page:
    """Open all there is to see."""
    expect(page.locator("#notice li")).to_have_count(1)
    page.locator("tbody", has=page.get_by_text("both", exact=True)).get_by_role("button").click()
    page.get_by_label("Listener", exact=True).select_option("travel")
    page.get_by_label("What a user says").fill(BOTH)
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#try-details tbody tr")).to_have_count(3)
    # The colour of a row that has just come fades.
    page.wait_for_timeout(1500)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(open_page: Callable[..., Page], scheme: str) -> None:
    page = fill(open_page(color_scheme=scheme))
    assert page.evaluate(f"({CHECKS}).faint(4.5)") == []


def test_the_two_schemes_differ(open_page: Callable[..., Page]) -> None:
    colours = {
        open_page(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert len(colours) == 2


def test_everything_has_a_name(open_page: Callable[..., Page]) -> None:
    page = fill(open_page())
    assert page.evaluate(f"({CHECKS}).nameless()") == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "Outerloop"
    expect(page.get_by_role("banner")).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    assert page.locator("h1").all_inner_texts() == ["Outerloop"]
    assert page.locator("h2").all_inner_texts() == [
        *("Requests", "Agents", "Try a text", "Listeners", "Filters", "Decisions"),
    ]


def test_only_what_matters_is_read_out(page: Page) -> None:
    live = page.locator("[aria-live], [role=status], [role=alert], output")
    assert [each.get_attribute("id") for each in live.all()] == ["notice", "try-answer"]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.className"))


def test_the_keyboard_alone_is_enough(open_page: Callable[..., Page]) -> None:
    page = open_page()
    order = []
    for _ in range(9):
        page.keyboard.press("Tab")
        order.append(focused(page))
        assert page.evaluate(
            "(({outlineStyle, outlineWidth}) => outlineStyle !== 'none' && outlineWidth !== '0px')"
            "(getComputedStyle(document.activeElement))"
        ), order
    assert order == [
        *("skip", "pause", "scroll", "try-listener", "try-text", "", "scroll", "scroll", "find"),
    ]
    page.keyboard.press("Tab")
    button = page.locator(".decision button").first
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    details = page.locator(f"#{button.get_attribute('aria-controls')}")
    for key, is_open in (("Enter", True), ("Space", False), ("Space", True), ("Enter", False)):
        page.keyboard.press(key)
        expect(button).to_have_attribute("aria-expanded", str(is_open).lower())
        expect(details).to_be_visible(visible=is_open)
        expect(button).to_be_focused()


def test_the_decisions_are_one_key_away(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the decisions")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "find"


@pytest.mark.parametrize("width", [320, 400, 768, 1100, 1920])
def test_the_page_never_scrolls_sideways(open_page: Callable[..., Page], width: int) -> None:
    page = fill(open_page(viewport={"width": width, "height": 800}))
    assert page.evaluate(f"({CHECKS}).beyond({width})") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_moves_for_who_wants_that(open_page: Callable[..., Page]) -> None:
    page = open_page(reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
