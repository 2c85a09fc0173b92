"""Takes the pictures of docs/images: `make screenshots`."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.browser.conftest import launch
from tests.browser.travel import BOTH, FLIGHT, INJECTION, WEATHER, Travel, running

IMAGES: Final = Path(__file__).parents[2] / "docs/images"
SECONDS: Final = 60
SIZE: Final = ViewportSize(width=1280, height=1040)
TEXTS: Final = (
    *(WEATHER, FLIGHT, "A hotel in Berlin with breakfast", BOTH, "Cheap flights to Lisbon"),
    *("Will it rain in Bergen tomorrow?", "A room near the station, please", "Thanks, bye!"),
)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def send(travel: Travel) -> None:
    """Send traffic that comes and goes for a while, some of it refused or badly answered."""
    end = time.monotonic() + SECONDS
    number = 0
    while (left := end - time.monotonic()) > 0:
        text = TEXTS[number * 5 % len(TEXTS)]
        status = "503" if number % 47 == 11 else "200"
        travel.ask(INJECTION if number % 61 == 17 else text, x_test_status=status)
        travel.ask("Two nights in Rome", "hotels")
        number += 1
        time.sleep(0.25 + 0.2 * math.sin(left / 4))
    for text in (BOTH, FLIGHT, WEATHER):
        travel.ask(text)


def take(page: Page) -> None:
    """Open a plan of two, try a text, and take a picture in each scheme."""
    page.wait_for_timeout(2500)
    page.locator("tbody", has=page.get_by_text("weather_agent → flight_agent")).first.get_by_role(
        "button"
    ).click()
    page.get_by_label("Listener", exact=True).select_option("travel")
    page.get_by_label("What a user says").fill("Find a flight to Oslo, and will it snow there?")
    page.get_by_role("button", name="Decide").click()
    page.locator("#try-details tbody tr").first.wait_for()
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(2500)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=IMAGES / f"status-{scheme}.png")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as travel,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{travel.admin}/")
        send(travel)
        take(page)
        browser.close()


if __name__ == "__main__":
    main()
