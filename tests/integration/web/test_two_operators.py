# SPDX-License-Identifier: Apache-2.0
"""Two operators at the same thing, and one operator with two tabs: nobody's work is lost unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Host, Instance, Site
from tests.integration.web.browser import Browser, Page, Values
from tests.integration.web.serving import World

Edit = Callable[[World, Browser, int], tuple[str, Values]]


def policy_of_a_host(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/hosts/{world.fleet.hosts['till-07'].id}"
    chosen = world.fleet.policies[("newest", "hold at June")[who]].id
    form = browser.get(path).form(f"{path}/policy")
    return f"{path}/policy", {**form.values(), "policy": chosen}


def site_of_a_host(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/hosts/{world.fleet.hosts['till-07'].id}"
    chosen = world.fleet.sites[("Berlin store 3", "Oslo roadside 7")[who]].id
    return f"{path}/site", {**browser.get(path).form(f"{path}/site").values(), "site": chosen}


def name_of_a_site(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/sites/site/{world.fleet.sites['Berlin store 3'].id}"
    return path, {**browser.get(path).form(path).values(), "name": f"Berlin of {who}"}


def name_of_a_region(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/sites/region/{world.fleet.regions['Bavaria'].id}"
    return path, {**browser.get(path).form(path).values(), "name": f"Bavaria of {who}"}


def new_site_of_one_name(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    form = browser.get("/sites").form("/sites/site")
    return "/sites/site", {**form.values(), "name": "Hamburg"}


def new_policy_of_one_name(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    form = browser.get("/policies/new").form("/policies")
    return "/policies", {**form.values(), "name": "of both"}


def windows_of_a_schedule(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/schedules/{world.fleet.schedules['Nights'].id}"
    return path, {**browser.get(path).form(path).values(), "hours": str(who + 1), "step": "save"}


def pause_of_a_rollout(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/rollouts/{world.fleet.rollouts['running'].id}/pause"
    return path, browser.get("/rollouts").form(path).values()


def deletion_of_a_schedule(world: World, browser: Browser, who: int) -> tuple[str, Values]:
    path = f"/schedules/{world.fleet.schedules['Nights'].id}/delete"
    return path, browser.get("/schedules").form(path).values()


EDITS = (
    policy_of_a_host,
    site_of_a_host,
    name_of_a_site,
    name_of_a_region,
    new_site_of_one_name,
    new_policy_of_one_name,
    windows_of_a_schedule,
    pause_of_a_rollout,
    deletion_of_a_schedule,
)


@pytest.mark.parametrize("edit", EDITS)
def test_of_two_at_once_one_succeeds_and_the_other_is_told(
    lively: World, browser: Browser, edit: Edit
) -> None:
    with Browser(lively.url) as other:
        other.log_in()
        both = (browser, other)
        forms = [edit(lively, one, who) for who, one in enumerate(both)]
        together = threading.Barrier(2)

        def send(who: int) -> Page:
            together.wait(60)
            return both[who].post(*forms[who])

        with ThreadPoolExecutor(2) as pool:
            pages = list(pool.map(send, range(2)))
    succeeded = [page for page in pages if page.status == 200 and not page.was_refused]
    assert len(succeeded) == 1, [page.document.one("main").text[:300] for page in pages]
    (refused,) = [page for page in pages if page not in succeeded]
    assert refused.status in {200, 400, 404, 409}, refused.status


def test_schedule_that_somebody_has_deleted_is_not_saved_again(
    lively: World, browser: Browser
) -> None:
    path, values = windows_of_a_schedule(lively, browser, 0)
    assert not browser.post(*deletion_of_a_schedule(lively, browser, 0)).was_refused
    page = browser.post(path, values)
    assert page.status == 404
    assert "Nights" not in browser.get("/schedules").document.one("main").text


def test_policy_that_somebody_has_deleted_is_linked_to_nobody(
    lively: World, browser: Browser
) -> None:
    browser.submit(browser.get("/policies/new").form("/policies"), name="short-lived")
    form = browser.get("/hosts").form("/hosts/policy")
    chosen = form.options("new_policy")["short-lived"]
    browser.submit(browser.get("/policies").form(f"/policies/{chosen}/delete"))
    page = browser.submit(form, scope="all", new_policy=chosen, confirmed="yes")
    assert page.status == 404
    with lively.database.reading() as session:
        assert session.scalars(select(Instance).where(Instance.policy_id == chosen)).first() is None


def test_form_changes_the_project_of_its_own_page_though_another_tab_has_moved_on(
    lively: World, browser: Browser
) -> None:
    site_form = browser.get("/sites").form("/sites/site")
    bulk = browser.submit(
        browser.get("/hosts").form("/hosts/policy"), scope="all", new_policy="none"
    ).form("/hosts/policy")
    assert "other" in browser.get("/hosts?project=other").document.one("header").text
    page = browser.submit(bulk)
    assert page.message.endswith("have no OS update policy any more.")
    browser.submit(site_form, name="Hamburg")
    with lively.database.reading() as session:
        mine, theirs = (fleet.project.uuid for fleet in (lively.fleet, lively.other))
        assert followers(lively, mine) == 0
        assert followers(lively, theirs) > 0
        made = session.scalars(select(Site.project_uuid).where(Site.name == "Hamburg")).all()
        assert made == [mine]
    # and what is shown next is that project
    assert browser.get("/hosts").document.one("a", href=host_path(lively)) is not None


def test_form_with_a_project_that_is_not_ones_own_changes_nothing(
    lively: World, browser: Browser
) -> None:
    form = browser.get("/sites").form("/sites/site")
    page = browser.submit(form, name="Hamburg", project="00000000-0000-0000-0000-000000000000")
    assert page.status == 404
    with lively.database.reading() as session:
        assert session.scalars(select(Site).where(Site.name == "Hamburg")).first() is None


def followers(world: World, project_uuid: str) -> int:
    with world.database.reading() as session:
        wanted = select(Instance.id).where(
            Instance.project_uuid == project_uuid, Instance.policy_id.is_not(None)
        )
        return len(session.scalars(wanted).all())


def host_path(world: World) -> str:
    return f"/hosts/{world.fleet.hosts['till-07'].id}"


def test_host_stays_where_the_quicker_operator_has_put_it(lively: World, browser: Browser) -> None:
    first, second = (site_of_a_host(lively, browser, who) for who in range(2))
    assert not browser.post(*first).was_refused
    page = browser.post(*second)
    assert page.was_refused
    assert page.message.startswith("Somebody else has put this host at another site meanwhile.")
    with lively.database.reading() as session:
        site_id = session.get_one(Host, lively.fleet.hosts["till-07"].id).site_id
    assert site_id == lively.fleet.sites["Berlin store 3"].id
