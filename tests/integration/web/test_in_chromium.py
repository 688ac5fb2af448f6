# SPDX-License-Identifier: Apache-2.0
"""Every page in a real browser: wide and narrow, light and dark, with and without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Dialog, expect

from orchestrator_stub.records import Host, Instance, RolloutMember
from orchestrator_stub.vocabulary import MemberState
from tests.integration.web.chromium import (
    WAIT_MS,
    WIDTHS,
    Opener,
    check,
    cut_off,
    findings,
    overflow,
)
from tests.integration.web.fleet import NONRT, Fleet
from tests.integration.web.serving import World
from tests.integration.web.spoiled import MARKUP, spoil

pytestmark = pytest.mark.minutes(2)

PAGES = {
    "hosts": "/hosts",
    "hosts-narrowed": "/hosts?q=till&update=available",
    "hosts-none": "/hosts?q=no+such+host",
    "host-failed": "/hosts/{till-05}",
    "host-updating": "/hosts/{till-02}",
    "host-invalidated": "/hosts/{kiosk-13}",
    "host-token": "/hosts/{till-08}",
    "os-resources": "/os-resources",
    "os-resource": "/os-resources/{newest}",
    "policies": "/policies",
    "policy-new": "/policies/new",
    "schedules": "/schedules",
    "schedule-new": "/schedules/new",
    "schedule-edit": "/schedules/{nights}",
    "rollouts": "/rollouts",
    "sites": "/sites",
    "site": "/sites/site/{berlin}",
    "account": "/account",
    "api-tokens": "/api-tokens",
    "missing": "/nowhere",
}


@pytest.fixture(scope="session")
def dialect() -> str:
    """The pages are the same on each database."""
    return "sqlite"


def address(world: World, path: str) -> str:
    fleet: Fleet = world.fleet
    ids = {
        **{name: host.id for name, host in fleet.hosts.items()},
        "newest": fleet.newest(NONRT).id,
        "nights": fleet.schedules["Nights"].id,
        "berlin": fleet.sites["Berlin store 3"].id,
    }
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return world.url + path


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_is_accessible_and_complains_of_nothing(
    shared: World, opened: Opener, name: str, width: int
) -> None:
    page = opened(shared, width)
    page.goto(address(shared, PAGES[name]))
    check(page)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_in_the_dark(shared: World, opened: Opener, name: str) -> None:
    page = opened(shared, color_scheme="dark")
    page.goto(address(shared, PAGES[name]))
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(18, 22, 28)"
    assert findings(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_login_page(shared: World, chromium: Browser, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(shared.url + "/login")
    assert findings(page) == []
    assert overflow(page) <= 0
    page.close()


def test_preview_and_confirmation_are_accessible(shared: World, opened: Opener) -> None:
    page = opened(shared, 390)
    page.goto(address(shared, "/schedules/new?site={berlin}"))
    page.get_by_label("Repeat by day of week").check()
    page.get_by_label("Mon", exact=True).check()
    page.get_by_label("Time Zone").select_option("Europe/Berlin")
    page.get_by_role("button", name="Show the next windows").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Save schedule?")
    assert page.get_by_role("row").count() >= 5
    assert findings(page) == []
    assert overflow(page) <= 0
    page.goto(shared.url + "/hosts")
    page.get_by_label("all 25 hosts").check()
    page.get_by_label("OS Update Policy", exact=True).select_option("newest")
    page.get_by_role("button", name="Link policy").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Link policy")
    assert findings(page) == []
    assert overflow(page) <= 0


def test_narrow_tables_are_cards_that_name_their_cells(shared: World, opened: Opener) -> None:
    page = opened(shared, 390)
    row = page.locator(f"tr#{shared.fleet.hosts['till-02'].id}")
    assert row.evaluate("one => getComputedStyle(one).display") == "block"
    label = row.locator("td[data-label='Site']").evaluate(
        "one => getComputedStyle(one, '::before').content"
    )
    assert "Site" in label
    # still a table for assistive tools
    assert page.get_by_role("row").filter(has_text="till-02").count() == 1


def test_theme_is_switched_by_hand(shared: World, opened: Opener) -> None:
    page = opened(shared, color_scheme="light")
    page.get_by_text("Operator").click()
    legend = page.get_by_text("Colours").bounding_box()
    assert legend is not None
    assert legend["height"] < 30  # one line, whatever stands beside it
    page.get_by_role("button", name="Dark").click()
    body = page.locator("body")
    dark = "rgb(18, 22, 28)"
    expect(body).to_have_css("background-color", dark)
    page.goto(shared.url + "/sites")
    expect(body).to_have_css("background-color", dark)
    page.get_by_text("Operator").click()
    page.get_by_role("button", name="System").click()
    expect(body).not_to_have_css("background-color", dark)


def test_keyboard_skips_to_the_content_and_closes_menus(shared: World, opened: Opener) -> None:
    page = opened(shared)
    page.goto(shared.url + "/policies")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    menu = page.locator("details.menu").last
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Account")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Account")).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_progress_moves_while_somebody_looks(lively: World, opened: Opener) -> None:
    page = opened(lively)
    host_id = lively.fleet.hosts["till-02"].id
    page.goto(f"{lively.url}/hosts/{host_id}")
    bar = page.locator("#update progress")
    assert bar.get_attribute("value") == "42"
    page.locator("#update details summary").click()
    with lively.database.writing() as session:
        change(session.get_one(Host, host_id).instance, update_progress_percent=87, phase="sealing")
    expect(bar).to_have_attribute("value", "87", timeout=WAIT_MS)
    expect(page.locator("#update")).to_contain_text("Phase: sealing")
    expect(page.locator("#spoken")).to_have_text("Downloading artifacts, 80 %")
    # what somebody has opened stays open
    assert page.locator("#update details").evaluate("one => one.open")


def change(instance: Instance | None, **fields: object) -> None:
    assert instance is not None
    for name, value in fields.items():
        setattr(instance, name, value)


def test_rows_follow_and_ticks_stay(lively: World, opened: Opener) -> None:
    page = opened(lively)
    page.goto(f"{lively.url}/hosts?q=till")
    tick = page.get_by_role("checkbox", name="till-02")
    tick.check()
    tick.focus()
    with lively.database.writing() as session:
        row = session.get_one(Host, lively.fleet.hosts["till-02"].id)
        change(row.instance, update_progress_percent=99)
    row_02 = page.locator(f"tr#{lively.fleet.hosts['till-02'].id}")
    expect(row_02).to_contain_text("99 %", timeout=WAIT_MS)
    assert tick.is_checked()
    assert page.evaluate("document.activeElement.value") == lively.fleet.hosts["till-02"].id


def test_waves_are_counted_while_somebody_looks(lively: World, opened: Opener) -> None:
    page = opened(lively)
    page.goto(f"{lively.url}/rollouts")
    rollout_id = lively.fleet.rollouts["running"].id
    expect(page.locator(f"#{rollout_id}")).to_contain_text("3 of 7 hosts")
    why = page.locator(f"#{rollout_id}").get_by_placeholder("Why")
    why.fill("the shops call")
    why.blur()
    with lively.database.writing() as session:
        for member in session.query(RolloutMember).filter_by(rollout_id=rollout_id):
            member.state = MemberState.UPDATED
    expect(page.locator(f"#{rollout_id}")).to_contain_text("7 of 7 hosts", timeout=WAIT_MS)
    expect(why).to_have_value("the shops call")


def test_every_host_of_a_page_is_ticked_at_once(shared: World, opened: Opener) -> None:
    page = opened(shared)
    page.goto(f"{shared.url}/hosts?q=till")
    page.get_by_role("checkbox", name="Tick every host on this page").check()
    ticked = page.locator("tbody input:checked")
    assert ticked.count() == 8


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_operator_makes_a_policy_links_it_and_sets_a_window(
    lively: World, opened: Opener, width: int, script: bool
) -> None:
    page = opened(lively, width, java_script_enabled=script)
    page.goto(lively.url + "/policies")
    page.get_by_role("link", name="New policy").click()
    page.get_by_label("Name").fill("to August")
    page.get_by_label("Update To Target").check()
    page.get_by_label("Target", exact=True).select_option(
        "Edge Microvisor Toolkit 3.0.20260801.1010"
    )
    page.get_by_label("In waves").check()
    page.get_by_label("Waves, % of the hosts").fill("10, 100")
    page.get_by_role("button", name="Make policy").click()
    expect(page.get_by_role("status")).to_have_text(
        "Policy to August is made. Link it to hosts next."
    )
    page.goto(lively.url + "/hosts?q=till-07")
    page.get_by_role("link", name="till-07", exact=True).click()
    page.get_by_label("Select OS Update Policy").select_option("to August")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status")).to_have_text("OS Update Policy applied successfully")
    page.get_by_role("link", name="Set a maintenance window").first.click()
    page.get_by_label("Maintenance Name").fill("Tonight")
    page.get_by_label("Open-ended").check()
    page.get_by_role("button", name="Show the next windows").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Schedule Tonight is saved.")
    page.goto(address(lively, "/hosts/{till-07}"))
    expect(page.locator("main")).to_contain_text("Tonight")
    expect(page.locator("#update")).to_contain_text("Waits for its maintenance window")
    page.reload()
    assert page.get_by_role("status").count() == 0


def test_markup_in_names_does_nothing(lively: World, opened: Opener) -> None:
    with lively.database.writing() as session:
        spoil(session, lively.fleet.project.uuid)
    page = opened(lively)
    alerts: list[str] = []

    def refuse(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    for path in PAGES.values():
        page.goto(address(lively, path))
        assert page.locator("img").count() == 1  # the product's own
        assert page.locator("script").count() == 1
        assert overflow(page) <= 0, path
    page.goto(address(lively, "/hosts/{till-02}"))
    with lively.database.writing() as session:
        row = session.get_one(Host, lively.fleet.hosts["till-02"].id)
        change(row.instance, phase=f"{MARKUP[:30]}new", update_progress_percent=51)
    expect(page.locator("#update progress")).to_have_attribute("value", "51", timeout=WAIT_MS)
    expect(page.locator("#update")).to_contain_text("<script>")
    assert page.locator("main script, main img").count() == 0
    assert alerts == []


def test_form_shows_only_what_its_choices_need(shared: World, opened: Opener) -> None:
    page = opened(shared, java_script_enabled=False)
    page.goto(shared.url + "/schedules/new")
    day, length = page.get_by_label("Start Date"), page.get_by_label("Duration, hours")
    expect(day).to_be_visible()
    expect(length).to_be_hidden()
    page.get_by_label("Repeat by day of month").check()
    expect(day).to_be_hidden()
    expect(length).to_be_visible()
    expect(page.get_by_label("Day(s) of the month")).to_be_visible()
    page.get_by_label("Cron fields, in UTC").check()
    expect(page.get_by_label("Start Time")).to_be_hidden()
    page.get_by_label("Host", exact=True).first.check()
    expect(page.get_by_label("Host", exact=True).last).to_be_visible()
    page.goto(shared.url + "/policies/new")
    expect(page.get_by_label("Target", exact=True)).to_be_hidden()
    page.get_by_label("Update To Target").check()
    page.get_by_label("In waves").check()
    expect(page.get_by_label("Target", exact=True)).to_be_visible()
    assert cut_off(page) == []
