# SPDX-License-Identifier: Apache-2.0
"""Policies: the list, making one of each kind, and deleting with the reason when it is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from orchestrator_stub.records import Policy, Rollout, RolloutMember
from orchestrator_stub.vocabulary import PolicyKind, RolloutState
from tests.integration.web.browser import Browser
from tests.integration.web.fleet import KIOSK
from tests.integration.web.serving import World


def policy(world: World, name: str) -> Policy | None:
    with world.database.reading() as session:
        found = session.scalars(select(Policy).where(Policy.name == name)).first()
        session.expunge_all()
        return found


def test_list_says_what_each_policy_wants_and_who_follows_it(looker: Browser) -> None:
    rows = {row["Name"].split(" Every")[0]: row for row in looker.get("/policies").table().rows()}
    assert rows["newest"]["Update"] == "Update To Latest"
    assert rows["newest"]["Waves"] == (
        "5 %, 25 %, 100 % of the hosts, with 1 d between waves "
        "stops when more than 2 hosts or 30 % of a wave fail, at most 50 hosts at once"
    )
    assert rows["newest"]["Hosts"] == "9"
    assert rows["hold at June"]["Update"].startswith("Update To Target Edge Microvisor")
    assert rows["hold at June"]["Waves"] == "all at once"


def test_policy_for_a_withdrawn_target_warns(looker: Browser) -> None:
    (row,) = [row for row in looker.get("/policies").table().rows() if "July" in row["Name"]]
    assert "Target withdrawn network does not come up on i225 cards." in row["Update"]
    assert "are offered nothing" in row["Update"]


def test_policy_to_latest_is_made(lively: World, browser: Browser) -> None:
    page = browser.submit(browser.get("/policies/new").form("/policies"), name=" always new ")
    assert page.path == "/policies"
    assert page.message == "Policy always new is made. Link it to hosts next."
    made = policy(lively, "always new")
    assert made is not None
    assert (made.kind, made.target_os_id, made.rollout) == (PolicyKind.LATEST, None, {})


def test_policy_to_target_in_waves_is_made(lively: World, browser: Browser) -> None:
    form = browser.get("/policies/new").form("/policies")
    options = form.options("target")
    assert list(options)[1:4] == ["Kiosk OS 1.10.0", "Kiosk OS 1.9.0", "Kiosk OS 1.8.2"]
    page = browser.submit(
        form, name="kiosks", kind=PolicyKind.TARGET, target=options["Kiosk OS 1.9.0"],
        description="hold", in_waves="yes", waves="5 %, 25 100", pause="12", max_failed="0",
        max_at_once="20",
    )  # fmt: skip
    assert not page.was_refused
    made = policy(lively, "kiosks")
    assert made is not None
    assert made.target_os_id == lively.fleet.images[KIOSK, "1.9.0"].id
    assert made.description == "hold"
    assert made.rollout == {
        "waves": [{"percent": 5}, {"percent": 25}, {"percent": 100}],
        "pauseSeconds": 43_200,
        "maxFailed": 0,
        "maxAtOnce": 20,
    }


def test_policy_in_waves_needs_nothing_but_the_tick(lively: World, browser: Browser) -> None:
    form = browser.get("/policies/new").form("/policies")
    assert not browser.submit(form, name="as usual", in_waves="yes").was_refused
    made = policy(lively, "as usual")
    assert made is not None
    assert made.rollout["waves"] == [{"percent": 5}, {"percent": 25}, {"percent": 100}]


def test_withdrawn_target_says_so_in_the_list(looker: Browser) -> None:
    options = looker.get("/policies/new").form("/policies").options("target")
    assert "Edge Microvisor Toolkit 3.0.20260714.0915 (withdrawn)" in options


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "Name: it is needed."),
        ({"name": "newest"}, "Name: there is a policy newest already."),
        ({"name": "x" * 51}, "Name: it has more than 50 characters."),
        ({"description": "x" * 201}, "Description: it has more than 200 characters."),
        ({"kind": "UPDATE_POLICY_UNSPECIFIED"}, "Update: choose latest or target."),
        ({"kind": "nonsense"}, "Update: choose one of the list."),
        ({"kind": PolicyKind.TARGET}, "Target: choose an OS resource."),
        ({"kind": PolicyKind.TARGET, "target": "os-00000000"}, "There is no os-00000000"),
        ({"in_waves": "yes", "waves": ""}, "Waves: name at least one share"),
        ({"in_waves": "yes", "waves": "five"}, "Waves: shares in per cent"),
        ({"in_waves": "yes", "waves": "50, 20"}, "wave 2 goes no further than one before it"),
        ({"in_waves": "yes", "waves": "50, 101"}, "less than or equal to 100"),
        ({"in_waves": "yes", "waves": "5", "pause": "-1"}, "Pause between waves: it is a whole"),
        ({"in_waves": "yes", "waves": "5", "max_at_once": "0"}, "Hosts at once: it is a whole"),
    ],
)
def test_wrong_policy_is_refused_with_the_field_and_kept_in_the_form(
    shared: World, looker: Browser, fields: dict[str, str], reason: str
) -> None:
    form = looker.get("/policies/new").form("/policies")
    page = looker.submit(form, **{"name": "tried", **fields})
    assert page.status in {400, 404, 409}
    assert page.was_refused
    assert reason in page.message
    assert page.form("/policies").values()["name"] == fields.get("name", "tried")
    assert policy(shared, "tried") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hold at June", "1 host follows it"),
        ("newest", "9 hosts follow it, and 9 update runs of the"),
    ],
)
def test_policy_that_is_used_stays_and_the_reason_is_told(
    shared: World, looker: Browser, name: str, reason: str
) -> None:
    used = shared.fleet.policies[name]
    page = looker.submit(looker.get("/policies").form(f"/policies/{used.id}/delete"))
    assert page.was_refused
    assert page.message.startswith(f"Policy {name} cannot be deleted: {reason}")
    assert policy(shared, name) is not None


def test_policy_that_nothing_needs_is_deleted(lively: World, browser: Browser) -> None:
    browser.submit(browser.get("/policies/new").form("/policies"), name="unused")
    made = policy(lively, "unused")
    assert made is not None
    page = browser.submit(browser.get("/policies").form(f"/policies/{made.id}/delete"))
    assert page.message == "Policy unused is deleted."
    assert policy(lively, "unused") is None
    assert browser.submit(page.form("/logout")).title == "Log in"


def test_policy_that_nobody_follows_any_more_is_deleted_with_its_rollouts(
    lively: World, browser: Browser
) -> None:
    form = browser.get("/policies/new").form("/policies")
    browser.submit(form, name="tried once", in_waves="yes", waves="100")
    made = policy(lively, "tried once")
    assert made is not None
    till = lively.fleet.hosts["till-07"].instance
    assert till is not None
    with lively.database.writing() as session:
        rollout = Rollout(
            project_uuid=made.project_uuid,
            policy_id=made.id,
            os_id=lively.fleet.images[KIOSK, "1.9.0"].id,
            state=RolloutState.STOPPED,
            wave_start_s=lively.fleet.now_s,
        )
        session.add(rollout)
        session.flush()
        rollout_id = rollout.id
        session.add(RolloutMember(rollout_id=rollout_id, instance_id=till.id, wave=0))
    page = browser.submit(browser.get("/policies").form(f"/policies/{made.id}/delete"))
    assert page.message == "Policy tried once is deleted."
    with lively.database.reading() as session:
        assert session.get(Rollout, rollout_id) is None
        mine = RolloutMember.rollout_id == rollout_id
        assert session.scalars(select(RolloutMember).where(mine)).all() == []


def test_hosts_of_a_policy_are_linked(shared: World, looker: Browser) -> None:
    june = shared.fleet.policies["hold at June"]
    link = looker.get("/policies").document.one("a", href=f"/hosts?policy={june.id}")
    assert link.text == "1"
