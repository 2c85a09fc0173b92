"""What clients choose is shown as text, wherever it is shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.travel import FLIGHT, Travel

HOSTILE = (
    '<img src=x onerror="window.bitten = 1">',
    "<script>window.bitten = 1</script>",
    '"><svg onload=window.bitten=1>',
    "javascript:window.bitten=1",
    "__proto__",
    "${window.bitten=1}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_of_a_request_id(page: Page, travel: Travel, text: str) -> None:
    assert travel.ask(FLIGHT, x_request_id=text).status_code == 200
    shown = page.locator("tbody", has=page.get_by_text(text, exact=True))
    expect(shown.locator(".request")).to_have_text(text)
    shown.get_by_role("button").click()
    expect(shown.locator(".details dd").first).to_have_text(text)
    page.get_by_label("Agent or request id").fill(text)
    expect(page.locator(".decision:visible")).to_have_count(1)
    assert unharmed(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_of_a_text_that_is_tried(page: Page, text: str) -> None:
    page.get_by_label("Listener", exact=True).select_option("travel")
    page.get_by_label("What a user says").fill(f"flight {text}")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#try-details tbody tr")).to_have_count(3)
    assert unharmed(page)


def test_ids_that_repeat_are_decisions_of_their_own(page: Page, travel: Travel) -> None:
    for _ in range(3):
        travel.ask(FLIGHT, x_request_id="again")
    expect(page.get_by_text("again", exact=True)).to_have_count(3)


def test_the_policy_forbids_what_the_page_does_not_need(page: Page, travel: Travel) -> None:
    answer = travel.client.get(f"{travel.admin}/")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.locator("[style*=url], [onclick], script:not([src])").count() == 0


def unharmed(page: Page) -> bool:
    return bool(page.evaluate("window.bitten === undefined && !document.querySelector('img')"))
