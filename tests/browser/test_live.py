"""The page follows the stack without being loaded again, and loses nothing of its reader's."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Watch
from tests.browser.travel import FLIGHT, WEATHER, Travel

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
MARK = "document.body.dataset.mark = 'the same document'"


def test_a_new_decision_appears_and_what_is_open_stays_open(page: Page, travel: Travel) -> None:
    page.evaluate(MARK)
    for number in range(30):
        travel.ask(WEATHER, x_request_id=f"before-{number}")
    opened = page.locator("tbody", has=page.get_by_text("before-3", exact=True))
    button = opened.get_by_role("button")
    button.click()
    expect(opened.locator(".details")).to_be_visible()
    page.evaluate("window.row = document.activeElement.closest('tbody')")
    button.scroll_into_view_if_needed()
    top = page.evaluate("window.row.getBoundingClientRect().top")

    travel.ask(FLIGHT, x_request_id="a-new-one")
    newest = page.locator(".decision").first
    expect(newest).to_contain_text("a-new-one")
    expect(newest).to_contain_text("flight_agent")
    expect(opened.locator(".details")).to_be_visible()
    expect(button).to_be_focused()
    assert page.evaluate("window.row.isConnected && window.row.contains(document.activeElement)")
    assert abs(page.evaluate("window.row.getBoundingClientRect().top") - top) < 2
    assert page.evaluate("document.body.dataset.mark") == "the same document"


def test_an_open_decision_stays_when_two_hundred_newer_ones_have_come(
    page: Page, travel: Travel
) -> None:
    travel.ask(WEATHER, x_request_id="read")
    opened = page.locator("tbody", has=page.get_by_text("read", exact=True))
    opened.get_by_role("button").click()
    for number in range(450):
        travel.ask(WEATHER, x_request_id=f"newer-{number}")
    expect(page.locator(".decision").first).to_contain_text("newer-449")
    expect(opened.locator(".details")).to_be_visible()
    expect(page.locator("#decisions-count")).to_have_text("201")
    opened.get_by_role("button").click()
    page.get_by_label("Agent or request id").focus()
    expect(opened).to_have_count(0)
    expect(page.locator("#decisions-count")).to_have_text("200")


def test_the_rate_is_that_of_the_last_seconds(page: Page, travel: Travel) -> None:
    rate = page.locator("#traffic > div").nth(1).locator("dd").first
    expect(rate).to_have_text(re.compile(r"[\d,.]+"))
    for _ in range(20):
        travel.ask(WEATHER)
    expect(rate).not_to_have_text("0.0")
    row = page.locator("#agents tr").first.locator("td").nth(4)
    expect(row).not_to_have_text("0.0")
    expect(rate).to_have_text("0.0", timeout=30_000)


def asked(page: Page) -> list[str]:
    urls: list[str] = []

    def note(request: Request) -> None:
        urls.append(request.url)

    page.on("request", note)
    return urls


def test_it_pauses_and_goes_on(page: Page, travel: Travel) -> None:
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#clock")).to_have_text("paused")
    page.wait_for_timeout(500)
    urls = asked(page)
    travel.ask(FLIGHT, x_request_id="while-paused")
    page.wait_for_timeout(5000)
    assert urls == []
    expect(page.get_by_text("while-paused")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("while-paused")).to_have_count(1)


def test_it_asks_nothing_while_nobody_sees_it(page: Page) -> None:
    page.evaluate(HIDE, arg=True)
    page.wait_for_timeout(500)
    urls = asked(page)
    page.wait_for_timeout(5000)
    assert urls == []
    with page.expect_request("**/status"):
        page.evaluate(HIDE, arg=False)


def test_why_a_reload_was_refused_is_shown_until_one_is_applied(page: Page, travel: Travel) -> None:
    good = travel.file.read_text()
    travel.file.write_text(good + "<img src=x onerror=alert(1)>: 1\n")
    notice = page.locator("#notice")
    expect(notice).to_contain_text("generation 1 stays in force")
    expect(notice.locator("li")).to_contain_text("outerloop.yaml:")
    expect(notice.locator("li")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(notice).to_have_role("status")
    travel.file.write_text(good.replace("weight: 90", "weight: 80"))
    expect(notice.locator("p")).to_be_empty()
    expect(notice.locator("li")).to_have_count(0)
    expect(page.locator("#facts > div").first).to_have_text("Generation2")
    expect(page.locator("#facts > div").nth(1)).to_contain_text("applied")
    expect(page.locator("#agents")).to_contain_text("88.9 %")


def test_it_says_that_the_stack_does_not_answer_any_more(
    page: Page, travel: Travel, watch: Watch
) -> None:
    before = page.locator("#agents tr").all_inner_texts()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert travel.stack.process.stop() == 0
    expect(page.locator("#notice")).to_contain_text("The stack does not answer since")
    expect(page.locator("#notice")).to_be_in_viewport()
    expect(page.locator("#state")).to_have_text("no answer")
    assert page.locator("#agents tr").all_inner_texts() == before
    page.get_by_label("What a user says").fill("Is anybody there?")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#try-answer")).to_have_text("The stack does not answer.")
    # Chromium itself says so too.
    assert all("Failed to load resource" in problem for problem in watch.problems)
    watch.problems.clear()
