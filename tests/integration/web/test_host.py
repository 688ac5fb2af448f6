# SPDX-License-Identifier: Apache-2.0
"""The page of one host: what it says in each state, and what can be done there."""

from __future__ import annotations

import time

import pytest
from sqlalchemy.orm import Session

from orchestrator_stub import rollouts
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.records import (
    Host,
    Instance,
    RepeatedSchedule,
    SingleSchedule,
    UpdateRun,
)
from orchestrator_stub.vocabulary import HostState, ScheduleStatus
from tests.integration.web.browser import Browser, Form, Page
from tests.integration.web.fleet import NONRT
from tests.integration.web.html import Element
from tests.integration.web.serving import World


def host_page(world: World, browser: Browser, name: str) -> Page:
    return browser.get(f"/hosts/{world.fleet.hosts[name].id}")


def facts(page: Page) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in page.document.all("dl", class_="facts"):
        parts = [child for child in one.children if isinstance(child, Element)]
        found |= {
            term.text: value.text for term, value in zip(parts[::2], parts[1::2], strict=True)
        }
    return found


def instance_of(world: World, name: str) -> Instance:
    with world.database.reading() as session:
        instance = session.get_one(Host, world.fleet.hosts[name].id).instance
        assert instance is not None
        session.expunge_all()
        return instance


def test_page_shows_facts_slots_and_policy(shared: World, looker: Browser) -> None:
    page = host_page(shared, looker, "till-05")
    host = shared.fleet.hosts["till-05"]
    assert page.title == "till-05"
    said = facts(page)
    assert said["GUID"] == host.uuid
    assert said["Host ID"] == host.id
    assert said["OS profile"] == NONRT
    assert said["Assigned OS Update Policy"] == "newest"
    assert said["Operating System"] == "Edge Microvisor Toolkit 3.0.20260602.2200 Update"
    assert page.document.one("span", title="OS update available").text == "Update"
    assert page.table("Slots").rows() == [
        {
            "Slot": "a",
            "Version": "3.0.20260602.2200",
            "State": "booted",
            "Boot assessment": "good",
        },
        {
            "Slot": "b",
            "Version": "3.0.20260801.1010",
            "State": "inactive",
            "Boot assessment": "bad",
        },
    ]


def test_available_update_lists_the_cves_of_every_step_once(shared: World, looker: Browser) -> None:
    said = facts(host_page(shared, looker, "till-02"))["Available Update"]
    assert said.startswith("Edge Microvisor Toolkit 3.0.20260801.1010 Fixes 3 CVEs")
    assert said.index("CVE-2026-11402 critical") < said.index("CVE-2026-11007 medium")
    assert "CVE-2026-10231" not in said  # fixed by what runs already
    assert facts(host_page(shared, looker, "till-01"))["Available Update"] == "-"


def test_failed_update_says_its_cause_and_its_log(shared: World, looker: Browser) -> None:
    page = host_page(shared, looker, "till-05")
    said = facts(page)["Update status"]
    assert said.startswith("Update failed")
    assert "A service that must run did not" in said
    assert "cannot open /dev/ttyS1" in said
    (run, *_rest) = page.table("update runs").rows()
    assert "A service that must run did not" in run["Status"]
    assert "probe pos.service: failed" in run["Status"]


def test_running_update_shows_progress_and_phase(shared: World, looker: Browser) -> None:
    page = host_page(shared, looker, "till-02")
    assert (
        page.document.one("section", aria_labelledby="update-title").one("progress")["value"]
        == "42"
    )
    assert "Phase: writing" in facts(page)["Update status"]
    spoken = page.document.one("p", aria_live="polite")
    assert spoken.text == "Downloading artifacts, 40 %"
    (run, *_rest) = page.table("update runs").rows()
    assert run["End Time"] == "In Progress"
    assert run["Duration"] == "25 min"


def test_history_has_every_run_with_its_times(shared: World, looker: Browser) -> None:
    rows = host_page(shared, looker, "till-05").table("3 update runs").rows()
    assert [row["Status"].split(" A ")[0] for row in rows] == [
        "Update failed",
        "Cancelled: the policy was changed",
        "Update completed",
    ]
    assert rows[2]["Duration"] == "6 min"
    assert rows[2]["Start Time"].endswith("UTC")
    assert {row["Applied Policy"] for row in rows} == {"newest"}


def test_history_of_none(shared: World, looker: Browser) -> None:
    section = host_page(shared, looker, "till-07").document.one("section", id="history")
    assert section.one("h3").text == "No OS Update History"
    assert "This instance has no OS update runs recorded" in section.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("till-01", "It runs what its policy wants"),
        ("till-03", "It is in wave 3 of the rollout of Edge Microvisor Toolkit 3.0.20260801.1010;"),
        ("kiosk-13", "The host is invalidated, so its node is refused"),
        ("kiosk-09", "Waits for its maintenance window, which opens"),
        ("till-04", "Updating since"),
        ("cabinet-e6-km114", "The node has never reported"),
        ("cabinet-e6-km114", "puadctl status there says what is missing"),
        ("till-02", "Downloading Edge Microvisor Toolkit 3.0.20260801.1010 since"),
        ("till-05", "failed here and is quarantined until it is released"),
        ("till-06", "No contact with the node since"),
        ("till-07", "No OS update policy is linked"),
        ("press-line-a", "was withdrawn: network does not come up"),
    ],
)
def test_page_says_why_it_does_not_update_now(
    shared: World, looker: Browser, name: str, said: str
) -> None:
    assert said in facts(host_page(shared, looker, name))["What comes next"]


def test_host_without_a_window_is_told_how_to_get_one(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        host = session.get_one(Host, lively.fleet.hosts["kiosk-09"].id)
        host.site = None
    page = host_page(lively, browser, "kiosk-09")
    assert "No maintenance window for OS updates is set" in facts(page)["What comes next"]
    assert "No schedule applies to this host" in page.document.text
    links = [one["href"] for one in page.document.all("a")]
    assert f"/schedules/new?host={lively.fleet.hosts['kiosk-09'].id}" in links


def test_inherited_windows_say_from_where_in_the_operators_time(
    lively: World, browser: Browser
) -> None:
    browser.submit(browser.get("/account").form("/account/time-zone"), zone="Asia/Tokyo")
    rows = host_page(lively, browser, "till-05").table("Schedules that apply").rows()
    by_name = {row["Name"]: row for row in rows}
    assert by_name["Nights"]["From"] == "Region Germany"
    assert by_name["Nights"]["Type"] == "OS Update"
    nights = lively.fleet.schedules["Nights"]
    assert isinstance(nights, RepeatedSchedule)
    days, hours = {"21": ("Tue-Sat", "06:00-10:00"), "9": ("Mon-Fri", "18:00-22:00")}[
        nights.cron_hours
    ]
    said = {name: text.replace("\N{EN DASH}", "-") for name, text in by_name["Nights"].items()}
    assert said["Windows"] == f"{days} at {hours[:5]} for 4 h"
    assert said["Next window"].endswith(f"{hours} JST")
    assert by_name["Catch up till-05"]["From"] == "This host"
    assert by_name["Catch up till-05"]["Next window"].endswith("JST, open-ended")


def test_window_that_is_open_says_so(shared: World, looker: Browser) -> None:
    (row, *_rest) = host_page(shared, looker, "press-line-a").table("Schedules that").rows()
    assert row["Name"] == "Inventory"
    assert row["From"] == "Site Augsburg factory"
    assert row["Next window"].startswith("Open now")


def test_policy_is_applied(lively: World, browser: Browser) -> None:
    page = host_page(lively, browser, "till-07")
    form = page.form(f"{page.path}/policy")
    options = form.options("policy")
    assert next(iter(options)) == "Select an OS Update Policy"
    assert "kiosks to 1.10" not in options
    page = browser.submit(form, policy=options["newest"])
    assert page.message == "OS Update Policy applied successfully"
    assert facts(page)["Assigned OS Update Policy"] == "newest"
    assert instance_of(lively, "till-07").policy_id == lively.fleet.policies["newest"].id
    page = browser.submit(page.form(f"{page.path}/policy"), policy="none")
    assert page.message == "till-07 follows no OS Update Policy any more."
    assert instance_of(lively, "till-07").policy_id is None


def test_host_that_is_linked_takes_its_place_in_the_rollout_at_once(
    lively: World, browser: Browser
) -> None:
    page = browser.submit(
        form_of(lively, browser, "till-07"), policy=lively.fleet.policies["newest"].id
    )
    newest = "Edge Microvisor Toolkit 3.0.20260801.1010"
    assert facts(page)["What comes next"] == (
        f"It is in wave 3 of the rollout of {newest}; wave 2 goes on"
    )


def test_policy_is_applied_although_its_rollouts_cannot_follow_now(
    lively: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Session, policy_id: str, now_s: int) -> None:
        raise OrchestratorError(Code.ABORTED, "somebody else was quicker")

    monkeypatch.setattr(rollouts, "follow", refuse)
    page = browser.submit(
        form_of(lively, browser, "till-07"), policy=lively.fleet.policies["newest"].id
    )
    assert page.message == "OS Update Policy applied successfully"
    assert "is about to take it in" in facts(page)["What comes next"]


def test_policy_is_not_applied_over_somebody_elses_change(lively: World, browser: Browser) -> None:
    page = host_page(lively, browser, "till-07")
    form = page.form(f"{page.path}/policy")
    with Browser(lively.url) as other:
        other.log_in()
        other.submit(form_of(lively, other, "till-07"), policy=lively.fleet.policies["newest"].id)
    page = browser.submit(form, policy=lively.fleet.policies["hold at June"].id)
    assert page.was_refused
    assert "Somebody else has changed the policy of this host meanwhile" in page.message
    assert instance_of(lively, "till-07").policy_id == lively.fleet.policies["newest"].id


def form_of(world: World, browser: Browser, name: str) -> Form:
    page = host_page(world, browser, name)
    return page.form(f"{page.path}/policy")


def test_policy_of_another_profile_is_refused_with_the_reason(
    lively: World, browser: Browser
) -> None:
    form = form_of(lively, browser, "till-07")
    page = browser.submit(form, policy=lively.fleet.policies["kiosks to 1.10"].id)
    assert page.was_refused
    assert "wants profile kiosk, but this host has profile microvisor-nonrt" in page.message


def test_applying_nothing_says_so(lively: World, browser: Browser) -> None:
    page = browser.submit(form_of(lively, browser, "till-07"), policy="")
    assert page.message == "No OS Update Policy is selected."


def test_failed_image_is_tried_again(lively: World, browser: Browser) -> None:
    page = host_page(lively, browser, "till-05")
    form = page.form(f"{page.path}/retry")
    page = browser.submit(form)
    assert page.message.startswith("till-05 tries the image again")
    newest = lively.fleet.newest(NONRT).file_hash
    assert instance_of(lively, "till-05").released == [newest]
    assert "Tried again at the next poll" in page.document.one("div", id="quarantine").text
    assert not [one for one in page.document.all("button") if one.text == "Try again"]
    assert browser.submit(form).message.startswith("till-05 tries")
    assert instance_of(lively, "till-05").released == [newest]


def test_image_that_failed_in_a_rollout_is_tried_again_though_its_node_keeps_no_quarantine(
    lively: World, browser: Browser
) -> None:
    with lively.database.writing() as session:
        instance = session.get_one(Host, lively.fleet.hosts["till-05"].id).instance
        assert instance is not None
        instance.quarantine = []
        for run in session.query(UpdateRun).filter_by(instance_id=instance.id, number=3):
            session.delete(run)  # the failed one is the last then
    page = host_page(lively, browser, "till-05")
    assert "failed here and is quarantined" in facts(page)["What comes next"]
    assert "In quarantine on 1 host" in browser.get("/os-resources").document.text
    page = browser.submit(page.form(f"{page.path}/retry"))
    assert page.message.startswith("till-05 tries the image again")
    assert not page.document.one("div", id="quarantine").text
    assert "In quarantine" not in browser.get("/os-resources").document.text
    assert "wave 2" not in facts(page)["What comes next"]


def test_image_that_is_not_in_quarantine_cannot_be_tried_again(
    lively: World, browser: Browser
) -> None:
    page = host_page(lively, browser, "till-05")
    page = browser.submit(page.form(f"{page.path}/retry"), file_hash="0" * 64)
    assert "has failed on instance" in page.message
    assert instance_of(lively, "till-05").released == []


def test_host_is_put_at_a_site(lively: World, browser: Browser) -> None:
    page = host_page(lively, browser, "kiosk-12")
    page = browser.submit(
        page.form(f"{page.path}/site"), site=lively.fleet.sites["Berlin store 3"].id
    )
    assert page.message == "kiosk-12 is at site Berlin store 3."
    page = browser.submit(page.form(f"{page.path}/site"), site="")
    assert page.message == "kiosk-12 is at no site."


def test_host_is_invalidated(lively: World, browser: Browser) -> None:
    page = host_page(lively, browser, "till-01")
    form = page.form(f"{page.path}/invalidate")
    refused = browser.submit(form, note="sold")
    assert refused.was_refused
    before_s = int(time.time())
    page = browser.submit(form, note="sold", sure="yes")
    assert page.message == "till-01 is invalidated: its node is refused from now on."
    assert "This host is invalidated: sold." in page.document.text
    assert "puad-orchestrator enrol till-01" in page.document.text
    with lively.database.reading() as session:
        host = session.get_one(Host, lively.fleet.hosts["till-01"].id)
        assert host.state is HostState.UNTRUSTED
        assert host.tokens_valid_from_s > before_s
    assert not [one for one in page.document.all("form") if "invalidate" in one["action"]]


@pytest.mark.parametrize(
    ("left_s", "said"),
    [
        (15 * 86_400, ""),
        (9 * 86_400 + 60, "The node's token expires in 9 days"),
        (-3600 * 3, "The node's token has expired 3 h ago"),
    ],
)
def test_token_that_ends_soon_is_told(
    lively: World, browser: Browser, left_s: int, said: str
) -> None:
    with lively.database.writing() as session:
        host = session.get_one(Host, lively.fleet.hosts["till-01"].id)
        host.token_expires_s = int(time.time()) + left_s
    warnings = host_page(lively, browser, "till-01").document.all("p", class_="warning")
    assert bool(warnings) is bool(said)
    if said:
        assert said in warnings[0].text
        assert "puad-orchestrator enrol till-01" in warnings[0].text


def test_host_that_nothing_is_known_of(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        host = Host(project_uuid=lively.fleet.project.uuid, name="bare", uuid="0" * 36)
        session.add(host)
        session.flush()
        host_id = host.id
    page = browser.get(f"/hosts/{host_id}")
    assert "No instance: no OS has been provisioned" in page.document.text
    assert "This node has not told its slots yet." in page.document.text


def test_host_that_is_not_there(looker: Browser) -> None:
    page = looker.get("/hosts/host-00000000")
    assert page.status == 404
    assert page.title == "Not Found"
    assert "There is no host-00000000 in project default." in page.document.text


def test_no_policies_available_for_the_profile(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        instance = session.get_one(Host, lively.fleet.hosts["till-07"].id).instance
        assert instance is not None
        instance.profile_name = "another"
    page = host_page(lively, browser, "till-07")
    options = page.form(f"{page.path}/policy").options("policy")
    assert set(options) == {"Select an OS Update Policy", "newest", "No policy: no updates"}


def test_maintenance_of_the_past_is_over(lively: World, browser: Browser) -> None:
    with lively.database.writing() as session:
        session.add(
            SingleSchedule(
                project_uuid=lively.fleet.project.uuid,
                host_id=lively.fleet.hosts["till-01"].id,
                name="long ago",
                schedule_status=ScheduleStatus.MAINTENANCE,
                start_s=1000,
                end_s=2000,
            )
        )
    page = host_page(lively, browser, "till-01")
    rows = {row["Name"]: row for row in page.table("Schedules that apply").rows()}
    assert rows["long ago"]["Next window"] == "none: it is over"
    assert "In Maintenance" not in page.document.text
