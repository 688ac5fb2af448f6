# SPDX-License-Identifier: Apache-2.0
"""A lively world for each test, and a browser in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import playwright.sync_api
import pytest
from playwright.sync_api import Page

from orchestrator_stub.database import Database
from tests.databases import Databases
from tests.integration.web.browser import Browser
from tests.integration.web.chromium import Blank, Opener, Served, launched, log_in, opening
from tests.integration.web.serving import World, world

# Chromium is a package of 300 MB: `.ci/setup` brings it, and these tests run, only when asked.
if os.environ.get("PUAD_SETUP_BROWSER") != "1":
    collect_ignore_glob = ["test_in_chromium*.py"]


@pytest.fixture
def lively(database: Database) -> Iterator[World]:
    """A server with two lively projects, for one test alone, on each database."""
    with world(database) as made:
        yield made


@pytest.fixture(scope="module")
def shared(databases: Databases, dialect: str) -> Iterator[World]:
    """The same for all tests of a module: they only look."""
    with databases.fresh(dialect) as database, world(database) as made:
        yield made


@pytest.fixture
def browser(lively: World) -> Iterator[Browser]:
    """A logged-in browser in the test's own world."""
    with Browser(lively.url) as opened:
        opened.log_in()
        yield opened


@pytest.fixture
def looker(shared: World) -> Iterator[Browser]:
    """A logged-in browser in the module's world."""
    with Browser(shared.url) as opened:
        opened.log_in()
        yield opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.sync_api.Browser]:
    """The distribution's Chromium."""
    with launched() as browser:
        yield browser


@pytest.fixture
def blank(chromium: playwright.sync_api.Browser) -> Iterator[Blank]:
    """Opens empty pages of Chromium."""
    with opening(chromium) as open_page:
        yield open_page


@pytest.fixture
def opened(blank: Blank) -> Opener:
    """Opens logged-in pages of Chromium."""

    def open_page(served: Served, width: int = 1280, **options: Any) -> Page:
        page = blank(width, **options)
        log_in(page, served)
        return page

    return open_page
