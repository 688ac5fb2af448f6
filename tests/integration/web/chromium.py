# SPDX-License-Identifier: Apache-2.0
"""The distribution's Chromium, and what every page that it shows has to keep."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.integration.web.serving import PASSWORD

WIDTHS = (1280, 390)
WAIT_MS = 60_000

Blank = Callable[..., Page]
Opener = Callable[..., Page]


class Served(Protocol):
    """Whatever serves pages."""

    @property
    def url(self) -> str:
        """The address of the first page."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """The browser, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def opening(browser: Browser) -> Iterator[Blank]:
    """Opens empty pages; what their consoles say against them fails at the end of the block."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, timezone_id="Europe/Berlin", **options
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in {"error", "warning"} else None
            ),
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [one for one in complaints if "404 (Not Found)" not in one], complaints


def log_in(page: Page, served: Served, name: str = "admin") -> None:
    page.goto(f"{served.url.rstrip('/')}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Active Hosts", timeout=WAIT_MS)


def findings(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def cut_off(page: Page) -> list[str]:
    """Controls that stick out of what holds them, and tables that do not show their last column."""
    found: list[str] = page.evaluate(
        """() => {
            const closed = document.querySelectorAll("main details:not([open])");
            closed.forEach((part) => { part.open = true; });
            const box = (one) => one.getBoundingClientRect();
            const outside = (inner, outer) => inner.width && inner.right > outer.right + 1;
            const found = [...document.querySelectorAll("main :is(input, select, button, table)")]
                .filter((one) => outside(box(one), box(one.closest("fieldset, .card, main"))))
                .map((one) => one.outerHTML.slice(0, 80));
            closed.forEach((part) => { part.open = false; });
            return found;
        }"""
    )
    return found


def check(page: Page) -> None:
    """Nothing sticks out, and axe-core finds nothing serious."""
    assert overflow(page) <= 0, page.url
    assert findings(page) == [], page.url
    assert cut_off(page) == [], page.url
