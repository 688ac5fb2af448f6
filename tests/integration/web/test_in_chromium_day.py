# SPDX-License-Identifier: Apache-2.0
"""The operator's day, from the login to the last till on the new version, in a real browser.

The server is the real process with its release service; the tills poll it as real nodes do. What
an operator does is done in the page, and what they see is waited for there, without a reload.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.integration.web.chromium import WAIT_MS, WIDTHS, Blank, check, log_in
from tests.integration.web.shop import CAUSE, OPERATOR, TILLS, Shop, Till, opened_shop, until

pytestmark = pytest.mark.minutes(2)

POLICY = "tills, in waves"
SITE = "Berlin store 3"
SERVER_MS = 2 * WAIT_MS


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with opened_shop(tmp_path) as opened:
        yield opened


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("width", WIDTHS)
def test_operators_day(shop: Shop, blank: Blank, width: int) -> None:
    page = blank(width)
    log_in_and_see_the_hosts(page, shop)
    find_the_new_release(page, shop)
    see_the_available_update(page, shop)
    make_a_policy_with_waves(page, shop)
    link_it_to_every_till(page, shop)
    put_a_till_at_its_site(page, shop)
    set_a_window_for_once(page, shop)
    set_a_window_every_week(page, shop)
    first, second = shop.of_wave(0)
    watch_an_update(page, shop, first)
    see_the_rollout_stop(page, shop, second)
    read_why_it_failed(page, shop, second)
    try_it_again_and_go_on(page, shop, second)
    pause_and_resume(page, shop)
    see_everything_updated(page, shop)


def said(page: Page, text: str) -> None:
    """What the last form has done is said."""
    expect(page.get_by_role("status")).to_have_text(text)


def go(page: Page, name: str) -> None:
    """Follow one of the links on top of each page."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


def open_till(page: Page, shop: Shop, till: Till) -> None:
    go(page, "Hosts")
    page.get_by_role("link", name=till.name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(till.name)


def row(page: Page, till: Till) -> Locator:
    return page.locator(f"tr#{till.node.host_id}")


def log_in_and_see_the_hosts(page: Page, shop: Shop) -> None:
    shop.everyone_polls()
    page.goto(shop.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    check(page)
    log_in(page, shop, OPERATOR)
    expect(page.locator("tbody tr")).to_have_count(TILLS)
    for till in shop.tills.values():
        expect(row(page, till)).to_contain_text("Running")
        expect(row(page, till)).to_contain_text("edge 1.0")
    assert page.locator("tbody").get_by_text("OS update available").count() == 0
    check(page)


def find_the_new_release(page: Page, shop: Shop) -> None:
    shop.publish("2.0")
    go(page, "OS Resources")
    page.get_by_role("button", name="Look for new releases now").click()
    said(page, "1 new: edge 2.0.")
    expect(page.locator("tbody tr").first).to_contain_text("2.0")
    expect(page.locator("tbody tr").first).to_contain_text("Newest")
    check(page)


def see_the_available_update(page: Page, shop: Shop) -> None:
    shop.everyone_polls()
    go(page, "Hosts")
    marks = page.locator("tbody").get_by_text("OS update available")
    expect(marks).to_have_count(TILLS, timeout=SERVER_MS)
    page.get_by_role("link", name="till-01", exact=True).click()
    expect(page.locator("#update")).to_contain_text("Available Update edge 2.0")
    expect(page.locator("#update")).to_contain_text("No OS update policy is linked")
    check(page)


def make_a_policy_with_waves(page: Page, shop: Shop) -> None:
    go(page, "Policies")
    page.get_by_role("link", name="New policy").click()
    page.get_by_label("Name").fill(POLICY)
    page.get_by_label("Update To Latest").check()
    page.get_by_label("In waves").check()
    page.get_by_label("Waves, % of the hosts").fill("20, 100")
    page.get_by_label("Stop when more hosts of a wave fail than").fill("0")
    check(page)
    page.get_by_role("button", name="Make policy").click()
    said(page, f"Policy {POLICY} is made. Link it to hosts next.")
    check(page)


def link_it_to_every_till(page: Page, shop: Shop) -> None:
    go(page, "Hosts")
    page.get_by_label(f"all {TILLS} hosts").check()
    page.get_by_label("OS Update Policy", exact=True).select_option(POLICY)
    page.get_by_role("button", name="Link policy").click()
    expect(page.locator("main")).to_contain_text(f"Link policy {POLICY} to {TILLS} hosts?")
    check(page)
    page.get_by_role("button", name="Link policy").click()
    said(page, f"Policy {POLICY} is linked to {TILLS} hosts.")
    (first, _), waiting = shop.of_wave(0), shop.of_wave(1)
    open_till(page, shop, first)
    expect(page.locator("#update")).to_contain_text("No maintenance window for OS updates is set")
    open_till(page, shop, waiting[0])
    expect(page.locator("#update")).to_contain_text(
        "It is in wave 2 of the rollout of edge 2.0; wave 1 goes on"
    )


def put_a_till_at_its_site(page: Page, shop: Shop) -> None:
    go(page, "Sites")
    page.locator("#site-name").fill(SITE)
    page.get_by_role("button", name="Make site").click()
    said(page, f"Site {SITE} is made.")
    check(page)
    first, *others = shop.tills.values()
    open_till(page, shop, first)
    page.get_by_label("Site", exact=True).select_option(SITE)
    page.get_by_role("button", name="Set", exact=True).click()
    said(page, f"{first.name} is at site {SITE}.")
    (site,) = shop.orchestrator.get("compute/sites")["sites"]
    for till in others:  # as a program would do it
        moved = {"siteId": site["resourceId"]}
        answer = shop.orchestrator.rest("PATCH", f"compute/hosts/{till.node.host_id}", moved)
        assert answer.status_code == 200, answer.text


def new_schedule(page: Page, name: str) -> None:
    go(page, "Schedules")
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Maintenance Name").fill(name)
    page.get_by_label("Site", exact=True).last.select_option(SITE)
    page.get_by_label("Time Zone").select_option("Europe/Berlin")


def set_a_window_for_once(page: Page, shop: Shop) -> None:
    new_schedule(page, "Tomorrow night")
    check(page)
    page.get_by_role("button", name="Show the next windows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Save schedule?")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Save").click()
    said(page, "Schedule Tomorrow night is saved.")
    open_till(page, shop, shop.of_wave(0)[0])
    expect(page.locator("#update")).to_contain_text("Waits for its maintenance window, which opens")
    check(page)


def set_a_window_every_week(page: Page, shop: Shop) -> None:
    new_schedule(page, "Quiet nights")
    page.get_by_label("Repeat by day of week").check()
    for day in ("Mon", "Thu"):
        page.get_by_label(day, exact=True).check()
    page.get_by_label("Start Time").fill("23:30")
    page.get_by_label("Duration, hours").fill("2")
    check(page)
    page.get_by_role("button", name="Show the next windows").click()
    expect(page.locator("caption")).to_have_text("The next 5 windows")
    windows = page.locator("tbody tr").all_inner_texts()
    assert len(windows) == 5
    assert all(window.startswith(("Mon", "Thu")) for window in windows)
    assert all("23:30" in window and "UTC" in window for window in windows)
    check(page)
    page.get_by_role("button", name="Save").click()
    said(page, "Schedule Quiet nights is saved.")
    expect(page.locator("main")).to_contain_text("Mon, Thu at")
    check(page)


def watch_an_update(page: Page, shop: Shop, till: Till) -> None:
    """The page is opened once; everything after that comes to it by itself."""
    open_till(page, shop, till)
    shop.let_the_evening_come()
    update = page.locator("#update")
    expect(update).to_contain_text("Its maintenance window is open", timeout=SERVER_MS)
    until(till.is_offered, "the first till is offered the image")
    bar = update.locator("progress")
    for percent, phase in ((7, "fetching"), (58, "writing")):
        till.poll("DOWNLOADING", progress_percent=percent, phase=phase)
        expect(bar).to_have_attribute("value", str(percent), timeout=SERVER_MS)
        expect(update).to_contain_text(f"Phase: {phase}")
        expect(update).to_contain_text("Downloading artifacts")
    till.poll("DOWNLOADED", phase="sealed")
    expect(update).to_contain_text("Download complete", timeout=SERVER_MS)
    till.poll("STARTED", phase="rebooting")
    expect(update).to_contain_text("Updating", timeout=SERVER_MS)
    expect(page.locator("#history")).to_contain_text("In Progress")
    check(page)
    till.update()
    expect(update).to_contain_text("Operating System edge 2.0", timeout=SERVER_MS)
    expect(update).not_to_contain_text("Available Update edge 2.0")
    expect(page.locator("#history")).to_contain_text("Update completed")
    expect(page.locator("#status")).to_contain_text("Running")
    go(page, "Hosts")
    expect(row(page, till)).not_to_contain_text("OS update available")


def see_the_rollout_stop(page: Page, shop: Shop, till: Till) -> None:
    go(page, "Rollouts")
    expect(page.locator("main")).to_contain_text("1 of 10 hosts finished")
    until(till.is_offered, "the second till is offered the image")
    till.fail()
    expect(page.locator("main")).to_contain_text(
        "Stopped: 1 of 2 hosts of wave 1 failed; the policy allows 0", timeout=SERVER_MS
    )
    check(page)


def read_why_it_failed(page: Page, shop: Shop, till: Till) -> None:
    page.get_by_text("Failed hosts").click()
    page.get_by_role("link", name=till.name).click()
    update = page.locator("#update")
    expect(update).to_contain_text("Update failed")
    expect(update).to_contain_text("A service that must run did not")
    update.get_by_text("Log", exact=True).click()
    expect(update.locator("pre")).to_have_text(CAUSE)
    expect(page.locator("#history")).to_contain_text("Update failed")
    check(page)


def try_it_again_and_go_on(page: Page, shop: Shop, till: Till) -> None:
    page.get_by_role("link", name="try it again").click()
    page.get_by_role("button", name="Try again: edge 2.0").click()
    said(page, f"{till.name} tries the image again; its node hears of it at its next poll.")
    till.poll()
    assert till.quarantine == ()
    go(page, "Rollouts")
    page.get_by_role("button", name="Resume the rollout of edge 2.0").click()
    said(page, "The rollout of edge 2.0 goes on.")
    until(till.is_offered, "the till that failed is offered the image again")
    till.update()
    wave = page.get_by_role("row").filter(has_text="Wave 2")
    expect(wave).to_contain_text("Now", timeout=SERVER_MS)


def pause_and_resume(page: Page, shop: Shop) -> None:
    waiting = shop.of_wave(1)[0]
    until(waiting.is_offered, "the second wave is offered the image")
    page.get_by_placeholder("Why").fill("the shops call")
    page.get_by_role("button", name="Pause the rollout of edge 2.0").click()
    said(page, "The rollout of edge 2.0 is paused: no further host starts an update.")
    expect(page.locator("main")).to_contain_text(f"Paused by {OPERATOR}: the shops call")
    check(page)
    assert not waiting.is_offered()
    open_till(page, shop, waiting)
    expect(page.locator("#update")).to_contain_text(
        f"The rollout of edge 2.0 is paused by {OPERATOR}: the shops call"
    )
    go(page, "Rollouts")
    page.get_by_role("button", name="Resume the rollout of edge 2.0").click()
    said(page, "The rollout of edge 2.0 goes on.")
    assert waiting.is_offered()


def see_everything_updated(page: Page, shop: Shop) -> None:
    for till in shop.of_wave(1):
        till.update()
    expect(page.locator("main")).to_contain_text("10 of 10 hosts finished", timeout=SERVER_MS)
    expect(page.locator(".state")).to_have_text("Done", timeout=SERVER_MS)
    shop.everyone_polls()
    go(page, "Hosts")
    for till in shop.tills.values():
        expect(row(page, till)).to_contain_text("edge 2.0")
        expect(row(page, till)).to_contain_text("Running")
        expect(row(page, till)).to_contain_text("No new updates available")
    assert page.locator("tbody").get_by_text("OS update available").count() == 0
    check(page)
