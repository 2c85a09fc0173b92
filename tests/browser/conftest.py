"""A real browser that shows the page of a real stack, and notes whatever it dislikes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.travel import Travel, running

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 15_000
"""Milliseconds: above what polling and reloading take on a busy machine."""


@dataclass
class Watch:
    """What must not happen while a page is shown: errors, and requests to anybody else."""

    origin: str
    problems: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))

    def _console(self, message: ConsoleMessage) -> None:
        # What the policy forbids is an error there too.
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:image/svg+xml")):
            self.problems.append(f"request: {request.url}")


def launch(playwright: Any) -> Browser:
    """Start the system's Chromium."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, f"none of {', '.join(PROGRAMS)} on PATH: run `make test-browser`"
    # Its sandbox does not work for root.
    options = ["--no-sandbox"] if os.getuid() == 0 else []
    browser: Browser = playwright.chromium.launch(executable_path=program, args=options)
    return browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def travel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Travel]:
    """A stack for all tests of a module."""
    with running(tmp_path_factory.mktemp("travel")) as travel:
        yield travel


@pytest.fixture
def watch(travel: Travel) -> Iterator[Watch]:
    """Fails the test where anything went wrong in a page that it watched."""
    watch = Watch(travel.admin)
    yield watch
    assert watch.problems == []


@pytest.fixture
def open_page(browser: Browser, travel: Travel, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Open the page, with options of the browser's context, and wait until it is filled."""
    contexts = []

    def make(**options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        watch.over(page)
        page.goto(f"{travel.admin}/")
        expect(page.locator("#state")).to_have_text("ready")
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()
