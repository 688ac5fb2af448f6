# SPDX-License-Identifier: Apache-2.0
"""Sites and regions: the tree, making, moving, renaming and deleting."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orchestrator_stub.locations import MAX_DEPTH
from orchestrator_stub.records import Region, Site
from tests.integration.web.browser import Browser, Page
from tests.integration.web.serving import World


def rows(page: Page) -> list[tuple[str, str, str]]:
    return [(row["Name"], row["Kind"], row["Hosts"]) for row in page.table("sites in").rows()]


def site(world: World, name: str) -> Site | None:
    with world.database.reading() as session:
        found = session.scalars(select(Site).where(Site.name == name)).unique().first()
        session.expunge_all()
        return found


def region(world: World, name: str) -> Region | None:
    with world.database.reading() as session:
        found = session.scalars(select(Region).where(Region.name == name)).first()
        session.expunge_all()
        return found


def test_tree_has_each_place_with_its_hosts(shared: World, looker: Browser) -> None:
    page = looker.get("/sites")
    assert rows(page) == [
        ("Germany", "Region", "23"),
        ("Bavaria", "Region", "11"),
        ("Augsburg factory", "Site", "3"),
        ("Munich store 12", "Site", "8"),
        ("Berlin", "Region", "12"),
        ("Berlin store 3", "Site", "12"),
        ("Norway", "Region", "1"),
        ("Oslo roadside 7", "Site", "1"),
    ]
    berlin = shared.fleet.sites["Berlin store 3"]
    links = [one["href"] for one in page.document.all("a")]
    assert f"/hosts?site={berlin.id}" in links
    assert f"/schedules/new?site={berlin.id}" in links
    depths = [row.get("class") for row in page.table("sites in").one("tbody").all("tr")]
    assert depths == [f"depth-{number}" for number in (0, 1, 2, 2, 1, 2, 0, 1)]


def test_site_and_region_are_made(lively: World, browser: Browser) -> None:
    page = browser.submit(
        browser.get("/sites").form("/sites/region"),
        name="Lapland", region=lively.fleet.regions["Norway"].id,
    )  # fmt: skip
    assert page.message == "Region Lapland is made."
    lapland = region(lively, "Lapland")
    assert lapland is not None
    assert lapland.parent_id == lively.fleet.regions["Norway"].id
    page = browser.submit(page.form("/sites/site"), name="Cabinet <1>", region=lapland.id)
    assert page.message == "Site Cabinet <1> is made."
    made = site(lively, "Cabinet <1>")
    assert made is not None
    assert made.region_id == lapland.id


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("site", "", "Name: it is needed."),
        ("site", "x" * 51, "Name: it has more than 50 characters."),
        ("site", "Berlin store 3", "There is a site Berlin store 3 already."),
        ("region", "Bavaria", "There is a region Bavaria already."),
    ],
)
def test_wrong_name_is_refused(looker: Browser, kind: str, name: str, reason: str) -> None:
    page = looker.submit(looker.get("/sites").form(f"/sites/{kind}"), name=name)
    assert page.was_refused
    assert page.message == reason


def test_site_is_renamed_and_moved(lively: World, browser: Browser) -> None:
    oslo = lively.fleet.sites["Oslo roadside 7"]
    action = f"/sites/site/{oslo.id}"
    form = browser.get(action).form(action)
    assert form.values()["region"] == lively.fleet.regions["Norway"].id
    page = browser.submit(form, name="Oslo 7", region="")
    assert page.message == "Site Oslo 7 is saved."
    moved = site(lively, "Oslo 7")
    assert moved is not None
    assert (moved.id, moved.region_id) == (oslo.id, None)
    assert rows(page)[-1] == ("Oslo 7", "Site", "1")


def test_two_operators_do_not_rename_the_same_site(lively: World, browser: Browser) -> None:
    oslo = lively.fleet.sites["Oslo roadside 7"]
    action = f"/sites/site/{oslo.id}"
    form = browser.get(action).form(action)
    browser.submit(form, name="First")
    page = browser.submit(form, name="Second")
    assert page.was_refused
    assert page.message.startswith("Somebody else has changed First meanwhile")
    assert site(lively, "First") is not None


@pytest.mark.parametrize("inner", ["Germany", "Bavaria"])
def test_region_cannot_lie_within_itself(lively: World, browser: Browser, inner: str) -> None:
    germany = lively.fleet.regions["Germany"]
    action = f"/sites/region/{germany.id}"
    form = browser.get(action).form(action)
    assert germany.id not in form.options("region").values()
    page = browser.submit(form, region=lively.fleet.regions[inner].id)
    assert page.message == "Region Germany cannot lie within itself."


def test_regions_are_nested_only_so_deep(lively: World, browser: Browser) -> None:
    """A region is never put where the tree would not show it."""
    parent = lively.fleet.regions["Norway"].id
    for number in range(2, MAX_DEPTH + 1):
        browser.submit(
            browser.get("/sites").form("/sites/region"), name=f"Level {number}", region=parent
        )
        made = region(lively, f"Level {number}")
        assert made is not None
        parent = made.id
    form = browser.get("/sites").form("/sites/region")
    page = browser.submit(form, name="Too deep", region=parent)
    assert page.was_refused
    assert page.message == f"Regions are nested at most {MAX_DEPTH} deep."
    assert region(lively, "Too deep") is None
    action = f"/sites/region/{lively.fleet.regions['Germany'].id}"
    page = browser.submit(browser.get(action).form(action), region=parent)
    assert page.message == f"Regions are nested at most {MAX_DEPTH} deep."


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("site", "Munich store 12", "8 hosts stand there"),
        ("site", "Augsburg factory", "3 hosts stand there, and 1 schedule is for it"),
        ("region", "Norway", "1 site lies in it"),
        ("region", "Germany", "2 regions lie in it, and 1 schedule is for it"),
    ],
)
def test_place_that_is_needed_stays_and_the_reason_is_told(
    shared: World, looker: Browser, kind: str, name: str, reason: str
) -> None:
    fleet = shared.fleet
    row = fleet.sites[name] if kind == "site" else fleet.regions[name]
    path = f"/sites/{kind}/{row.id}"
    page = looker.submit(looker.get(path).form(f"{path}/delete"))
    assert page.path == path
    assert page.was_refused
    assert page.message == f"{kind.capitalize()} {name} cannot be deleted: {reason}."


def test_empty_place_is_deleted(lively: World, browser: Browser) -> None:
    browser.submit(browser.get("/sites").form("/sites/site"), name="Closed")
    closed = site(lively, "Closed")
    assert closed is not None
    path = f"/sites/site/{closed.id}"
    page = browser.submit(browser.get(path).form(f"{path}/delete"))
    assert page.path == "/sites"
    assert page.message == "Site Closed is deleted."
    assert site(lively, "Closed") is None
