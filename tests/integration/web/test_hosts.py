# SPDX-License-Identifier: Apache-2.0
"""Active Hosts: what the list says, how it is narrowed and sorted, and linking many at once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Host, Instance, Policy
from orchestrator_stub.vocabulary import PolicyKind
from tests.integration.web.browser import Browser, Page
from tests.integration.web.fleet import KIOSK, NONRT
from tests.integration.web.serving import World

NEWEST = "3.0.20260801.1010"


def names(page: Page) -> list[str]:
    if not page.document.maybe("table"):
        return []
    return [row.one("a").text for row in page.document.one("tbody").all("th")]


def row(page: Page, name: str) -> dict[str, str]:
    (found,) = [row for row in page.table().rows() if row["Name"].split()[0] == name]
    return found


def policy_of(world: World, name: str) -> str | None:
    with world.database.reading() as session:
        wanted = select(Instance.policy_id).join(Host).where(Host.id == world.fleet.hosts[name].id)
        return session.scalars(wanted).one()


def test_list_shows_each_host_with_all_that_it_is_asked_for(shared: World, looker: Browser) -> None:
    page = looker.get("/hosts")
    assert page.title == "Active Hosts"
    assert len(names(page)) == len(shared.fleet.hosts) == 25
    assert row(page, "till-02") == {
        "Ticked": "",
        "Name": f"till-02 {shared.fleet.hosts['till-02'].uuid}",
        "Site": "Munich store 12",
        "Host status": "Running",
        "Operating System": "Edge Microvisor Toolkit 3.0.20260602.2200"
        f" OS update available {NEWEST}",
        "Update status": "Downloading artifacts 42 %",
        "Update policy": "newest",
        "Last seen": "just now",
    }
    marker = page.document.all("span", title="OS update available")
    assert len(marker) == 16


def test_hosts_that_are_silent_new_or_invalidated_stand_out(looker: Browser) -> None:
    page = looker.get("/hosts")
    assert row(page, "till-06")["Host status"] == "No Connection"
    assert row(page, "till-06")["Last seen"] == "5 h ago"
    new = row(page, "cabinet-e6-km114")
    assert (new["Host status"], new["Update status"]) == ("Unknown", "Not reported yet")
    assert new["Last seen"] == "never"
    assert row(page, "press-line-c")["Host status"].startswith("Booting")
    assert row(page, "kiosk-13")["Host status"] == "Invalidated"
    assert row(page, "kiosk-12")["Site"] == "-"
    assert "OS update available" not in row(page, "till-01")["Operating System"]


def test_hosts_in_maintenance_are_marked(looker: Browser) -> None:
    page = looker.get("/hosts")
    marked = [row["Name"].split()[0] for row in page.table().rows() if "In Maint" in str(row)]
    assert marked == ["press-line-a", "press-line-b", "press-line-c"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=TILL-0", [f"till-0{number}" for number in range(1, 9)]),
        ("q=augsburg", ["press-line-a", "press-line-b", "press-line-c"]),
        ("q=till_0", []),
        ("q=%25", []),
        ("status=no-connection", ["till-06"]),
        ("status=unknown", ["cabinet-e6-km114"]),
        ("status=invalidated", ["kiosk-13"]),
        ("update=failed", ["till-05"]),
        ("update=going-on", ["press-line-c", "till-02", "till-03", "till-04"]),
        ("status=booting", ["press-line-c"]),
        ("update=available&q=press", ["press-line-a", "press-line-c"]),
        ("status=running&update=failed&q=till", ["till-05"]),
        ("policy=none&q=till", ["till-07"]),
        ("status=nonsense&update=nonsense&q=till-07", ["till-07"]),
    ],
)  # fmt: skip
def test_list_is_narrowed(looker: Browser, query: str, found: list[str]) -> None:
    page = looker.get(f"/hosts?{query}")
    assert names(page) == found
    if not found:
        assert page.document.one("section", class_="empty").one("h2").text == "No host matches"


def test_list_is_narrowed_by_guid_policy_os_and_site(shared: World, looker: Browser) -> None:
    fleet = shared.fleet
    host = fleet.hosts["till-03"]
    assert names(looker.get(f"/hosts?q={host.uuid[4:20]}")) == ["till-03"]
    policy = fleet.policies["hold at June"]
    page = looker.get(f"/hosts?policy={policy.id}")
    assert names(page) == ["till-08"]
    assert page.document.one("ul", class_="narrowed").text.startswith("Policy hold at June")
    assert names(looker.get(f"/hosts?os={fleet.newest(NONRT).id}")) == ["press-line-b", "till-01"]
    site = fleet.sites["Oslo roadside 7"]
    page = looker.get(f"/hosts?site={site.id}&q=cab")
    assert names(page) == ["cabinet-e6-km114"]
    without = {
        one["aria-label"]: one["href"] for one in page.document.all("a") if one.get("aria-label")
    }
    assert without["Without Site Oslo roadside 7"] == "/hosts?q=cab"


def test_numbers_above_the_list_lead_to_the_hosts_they_count(looker: Browser) -> None:
    tally = looker.get("/hosts").document.one("ul", class_="tally")
    counted = {one.text: one["href"] for one in tally.all("a")}
    assert list(counted) == [
        "25 All hosts",
        "16 OS update available",
        "4 Update going on",
        "1 Update failed",
        "1 No Connection",
    ]
    for text, href in counted.items():
        assert len(names(looker.get(href))) == int(text.split()[0])


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("", "cabinet-e6-km114", "till-08"),
        ("-name", "till-08", "cabinet-e6-km114"),
        ("site", "kiosk-12", "cabinet-e6-km114"),
        ("-seen", "", "cabinet-e6-km114"),
        ("update", "cabinet-e6-km114", "till-04"),
        ("nonsense", "cabinet-e6-km114", "till-08"),
    ],
)
def test_list_is_sorted(looker: Browser, sort: str, first: str, last: str) -> None:
    found = names(looker.get(f"/hosts?sort={sort}"))
    assert found[0] == first or not first
    assert found[-1] == last


def test_versions_are_sorted_as_versions(looker: Browser) -> None:
    page = looker.get("/hosts?sort=os&q=kiosk")
    versions = [row["Operating System"].split()[2] for row in page.table().rows()]
    assert versions == sorted(versions, key=lambda version: [int(n) for n in version.split(".")])
    assert {"1.8.2", "1.9.0", "1.10.0"} == set(versions)
    down = looker.get("/hosts?sort=-os&q=kiosk").table().rows()
    assert [row["Operating System"].split()[2] for row in down] == versions[::-1]


def test_headings_turn_the_order_around_and_say_it(looker: Browser) -> None:
    heads = looker.get("/hosts?sort=-site&q=till").document.one("thead").all("th")
    by_name = {head.text: head for head in heads}
    assert by_name["Site"].get("aria-sort") == "descending"
    assert by_name["Site"].one("a")["href"] == "/hosts?q=till&sort=site"
    assert by_name["Name"].one("a")["href"] == "/hosts?q=till"
    assert not by_name["Name"].get("aria-sort")


def test_long_list_has_pages(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        session.add_all(
            Host(project_uuid=lively.fleet.project.uuid, name=f"more-{number:03}", uuid=f"{number}")
            for number in range(100)
        )
    first = browser.get("/hosts?q=more")
    assert len(names(first)) == 50
    assert first.table().one("caption").text == "1\N{EN DASH}50 of 100 hosts that match"
    links = {one.text: one["href"] for one in first.document.one("nav", class_="pages").all("a")}
    assert names(browser.get(links["Next"])) == [f"more-{number:03}" for number in range(50, 100)]
    assert "Previous" not in links
    all_of_them = browser.get(links["100"])
    assert len(names(all_of_them)) == 100
    assert "Next" not in {one.text for one in all_of_them.document.all("a")}
    beyond = browser.get("/hosts?q=more&page=9")
    assert beyond.path == "/hosts?q=more"
    assert browser.get("/hosts?page=0").status == 400
    assert browser.get("/hosts?page=x").status == 400


def test_policy_is_linked_to_the_ticked_hosts(lively: World, browser: Browser) -> None:
    fleet = lively.fleet
    form = browser.get("/hosts?q=till").form("/hosts/policy")
    ticked = [fleet.hosts[name].id for name in ("till-07", "till-01")]
    page = browser.submit(form, host=ticked, new_policy=form.options("new_policy")["newest"])
    assert page.path == "/hosts?q=till&page=1&size=50"
    assert page.message == "Policy newest is linked to 1 host. 1 had it already."
    assert policy_of(lively, "till-07") == fleet.policies["newest"].id
    assert policy_of(lively, "till-08") == fleet.policies["hold at June"].id
    assert not browser.get("/hosts").message


def test_policy_that_does_not_fit_leaves_the_host_as_it_was(
    lively: World, browser: Browser
) -> None:
    fleet = lively.fleet
    form = browser.get("/hosts").form("/hosts/policy")
    ticked = [fleet.hosts[name].id for name in ("till-07", "kiosk-02")]
    page = browser.submit(form, host=ticked, new_policy=fleet.policies["kiosks to 1.10"].id)
    assert "1 was left as before, because the policy is for another OS profile" in page.message
    assert policy_of(lively, "till-07") is None


def test_policy_for_no_immutable_os_is_linked_to_none_of_many(
    lively: World, browser: Browser
) -> None:
    """REST and the page of one host refuse it, too."""
    fleet = lively.fleet
    with lively.database.writing() as session:
        packages = Policy(
            project_uuid=fleet.project.uuid,
            name="packages",
            kind=PolicyKind.TARGET,
            update_packages="vim",
        )
        session.add(packages)
        session.flush()
        policy_id = packages.id
    before = policy_of(lively, "till-07")
    form = browser.get("/hosts").form("/hosts/policy")
    page = browser.submit(form, host=[fleet.hosts["till-07"].id], new_policy=policy_id)
    assert page.was_refused
    assert page.message == ("Policy packages names no target OS: it is not for an immutable OS.")
    assert policy_of(lively, "till-07") == before


def test_policy_is_linked_to_all_that_match_once_that_is_confirmed(
    lively: World, browser: Browser
) -> None:
    fleet = lively.fleet
    form = browser.get("/hosts?policy=none").form("/hosts/policy")
    page = browser.submit(form, scope="all", new_policy=fleet.policies["newest"].id)
    assert page.title == "Link policy"
    without = [name for name, host in fleet.hosts.items() if policy_of(lively, name) is None]
    assert f"Link policy newest to {len(without)} hosts?" in page.document.text
    assert "These are all hosts with: No policy." in page.document.text
    assert "are left as they are" not in page.document.text  # it is for every profile
    page = browser.submit(page.form("/hosts/policy"))
    assert page.message == f"Policy newest is linked to {len(without)} hosts."
    assert {policy_of(lively, name) for name in without} == {fleet.policies["newest"].id}


def test_policy_for_one_profile_says_before_that_others_are_left(
    lively: World, browser: Browser
) -> None:
    june = lively.fleet.policies["hold at June"].id
    form = browser.get("/hosts").form("/hosts/policy")
    page = browser.submit(form, scope="all", new_policy=june)
    said = "Hosts that do not have its OS profile, microvisor-nonrt, are left as they are."
    assert said in page.document.text
    page = browser.submit(page.form("/hosts/policy"))
    assert "13 were left as before" in page.message


def test_policy_is_taken_away_from_many(lively: World, browser: Browser) -> None:
    form = browser.get("/hosts?q=kiosk").form("/hosts/policy")
    page = browser.submit(form, scope="all", new_policy="none")
    assert "Take the OS update policy away from 13 hosts?" in page.document.text
    page = browser.submit(page.form("/hosts/policy"))
    assert "have no OS update policy any more" in page.message
    assert policy_of(lively, "kiosk-01") is None


@pytest.mark.parametrize("scope", ["ticked", "all"])
def test_linking_without_a_choice_changes_nothing(browser: Browser, scope: str) -> None:
    form = browser.get("/hosts").form("/hosts/policy")
    page = browser.submit(form, scope=scope)
    assert page.was_refused
    assert page.message == "No policy is selected, so nothing was changed."


def test_linking_without_a_host_changes_nothing(lively: World, browser: Browser) -> None:
    form = browser.get("/hosts").form("/hosts/policy")
    page = browser.submit(form, new_policy=lively.fleet.policies["newest"].id)
    assert page.message == "No host is ticked, so nothing was changed."


def test_link_of_many_raises_the_instances_versions(lively: World, browser: Browser) -> None:
    with lively.database.reading() as session:
        before = session.get_one(Host, lively.fleet.hosts["till-07"].id).instance
        assert before is not None
        version = before.version
    form = browser.get("/hosts").form("/hosts/policy")
    browser.submit(
        form, host=lively.fleet.hosts["till-07"].id, new_policy=lively.fleet.policies["newest"].id
    )
    with lively.database.reading() as session:
        after = session.get_one(Host, lively.fleet.hosts["till-07"].id).instance
        assert after is not None
        assert after.version == version + 1


def test_kiosks_are_of_their_own_profile(shared: World) -> None:
    kiosk = shared.fleet.hosts["kiosk-01"].instance
    assert kiosk is not None
    assert kiosk.profile_name == KIOSK
