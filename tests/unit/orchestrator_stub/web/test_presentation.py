# SPDX-License-Identifier: Apache-2.0
"""What the pages make of records: statuses, causes, CVEs, slots, policies, links."""

from __future__ import annotations

import pytest

from orchestrator_stub.os_resources.taking import Refresh
from orchestrator_stub.policies import why_unfit
from orchestrator_stub.records import Instance, OSResource, Policy, UpdateRun
from orchestrator_stub.records.update_run import OPEN_END_S
from orchestrator_stub.rollouts.rules import RolloutWaveRule
from orchestrator_stub.vocabulary import HostState, Indication, PolicyKind
from orchestrator_stub.web import cves, history, linking, policies, queries_host, statuses
from orchestrator_stub.web.clock import JOINED
from orchestrator_stub.web.linking import Linked
from orchestrator_stub.web.os_resources import told
from orchestrator_stub.web.queries_policies import PolicyUse
from puad.core.errors import FailureReason
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail

NOW_S = 1_800_000_000
OTHER_PROFILE = "because the policy is for another OS profile"


@pytest.mark.parametrize(
    ("state", "seen_ago_s", "update", "text", "kind"),
    [
        (HostState.ONBOARDED, 5, "", "Running", "idle"),
        (HostState.ONBOARDED, 181, "", "No Connection", "error"),
        (HostState.ONBOARDED, 181, "Updating", "Booting", "busy"),
        (HostState.ONBOARDED, 901, "Updating", "No Connection", "error"),
        (HostState.ONBOARDED, 5, "Updating", "Running", "idle"),
        (HostState.ONBOARDED, None, "", "Unknown", "unknown"),
        (HostState.UNTRUSTED, 5, "Updating", "Invalidated", "error"),
    ],
)
def test_host_status(
    state: HostState, seen_ago_s: int | None, update: str, text: str, kind: str
) -> None:
    seen_s = None if seen_ago_s is None else NOW_S - seen_ago_s
    assert statuses.host(state, seen_s, NOW_S, update) == statuses.Shown(text, kind)


def test_update_status() -> None:
    assert statuses.update(None, None) == statuses.Shown("Not reported yet", "unknown")
    assert statuses.update("", Indication.IDLE).text == "Not reported yet"
    assert statuses.update("Updating", Indication.IN_PROGRESS) == statuses.Shown("Updating", "busy")


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_cause_has_words(reason: FailureReason) -> None:
    entry = UpdateLogEntry(LogStatus.FAILED, "1.0", failure_reason=reason, failure_log="log")
    (cause,) = history.causes(dump_detail([entry]))
    assert cause.log == "log"
    assert bool(cause.text) is (reason is not FailureReason.NO_FAILURE)


def test_success_has_no_cause_and_a_plain_sentence_is_one() -> None:
    assert history.causes("") == ()
    assert history.causes(dump_detail([UpdateLogEntry(LogStatus.INSTALLED, "1.0")])) == ()
    assert history.causes("node did not come back") == (
        history.Cause("node did not come back", ""),
    )
    assert history.causes('{"update_log": 7}')[0].log == ""


def test_run_that_goes_on_has_no_end() -> None:
    run = UpdateRun(
        name="r", image_id="1", status="Updating", status_indicator=Indication.IN_PROGRESS,
        status_details="", start_s=NOW_S - 90, end_s=OPEN_END_S,
    )  # fmt: skip
    shown = history.shown(run, NOW_S)
    assert shown.end_s is None
    assert shown.duration_s == 90
    run.end_s = NOW_S - 60
    assert history.shown(run, NOW_S).duration_s == 30


def resource(version: str, *ids: str, profile: str = "p") -> OSResource:
    rows = [{"cve_id": one, "priority": "High", "affected_packages": ["a"]} for one in ids]
    return OSResource(profile_name=profile, image_id=version, fixed_cves=rows)


def test_cves_of_every_release_on_the_way_are_fixed() -> None:
    wanted = resource("1.10", "C", "B")
    every = [
        resource("1.8", "old"),
        resource("1.9", "A", "B"),
        wanted,
        resource("1.11", "later"),
        resource("1.9", "other", profile="q"),
    ]
    assert [one.id for one in cves.fixed_between(every, "1.8", wanted)] == ["A", "B", "C"]
    assert [one.id for one in cves.fixed_between(every, "", wanted)] == ["A", "B", "C", "old"]


def test_cves_are_read_whatever_a_list_holds() -> None:
    found = cves.read(
        [
            {"cve_id": "L", "priority": "low"},
            {"cve_id": "C", "priority": "Critical", "affected_packages": "none"},
            {"cve_id": "U"},
            {"priority": "high"},
        ]
    )
    assert [(one.id, one.priority) for one in found] == [
        ("C", "critical"),
        ("", "high"),
        ("L", "low"),
        ("U", ""),
    ]
    assert found[0].packages == ()


@pytest.mark.parametrize("name", ["imageId", "image_id"])
def test_slots_are_read_in_either_spelling(name: str) -> None:
    (slot,) = queries_host.slots([{"name": "a", name: "1.0", "state": "booted"}])
    assert (slot.image_id, slot.assessment) == ("1.0", "")


@pytest.mark.parametrize(
    ("left_s", "ends"),
    [(None, ""), (15 * 86_400, ""), (14 * 86_400, "soon"), (1, "soon"), (0, "expired")],
)
def test_token_is_warned_of_for_fourteen_days(left_s: int | None, ends: str) -> None:
    expires_s = None if left_s is None else NOW_S + left_s
    assert queries_host.token_ends(expires_s, NOW_S) == ends


@pytest.mark.parametrize(
    ("status", "progress", "text"),
    [
        ("Updating", None, "Updating"),
        ("D", 0, "D, 0 %"),
        ("D", 49, "D, 40 %"),
        ("D", 100, "D, 100 %"),
    ],
)
def test_progress_is_spoken_in_tenths(status: str, progress: int | None, text: str) -> None:
    assert queries_host.spoken(status, progress) == text


def test_policy_fits_its_own_profile() -> None:
    latest = Policy(name="latest", kind=PolicyKind.LATEST)
    target = Policy(name="target", kind=PolicyKind.TARGET, target_os=resource("1"))
    mutable = Policy(name="packages", kind=PolicyKind.TARGET)
    assert not why_unfit(latest, "p")
    assert not why_unfit(target, "p")
    assert "wants profile p, but this host has profile q" in why_unfit(target, "q")
    assert "names no target OS" in why_unfit(mutable, "p")


@pytest.mark.parametrize(
    ("linked", "named", "text"),
    [
        (Linked(1, 0, 0), True, "Policy p is linked to 1 host."),
        (Linked(1200, 3, 0), True, "Policy p is linked to 1,200 hosts. 3 had it already."),
        (
            Linked(0, 0, 2),
            True,
            f"Policy p is linked to 0 hosts. 2 were left as before, {OTHER_PROFILE}.",
        ),
        (Linked(1, 4, 0), False, "1 host has no OS update policy any more."),
        (Linked(2, 0, 0), False, "2 hosts have no OS update policy any more."),
    ],
)
def test_linking_is_told(linked: Linked, named: bool, text: str) -> None:
    assert linking.told(linked, Policy(name="p") if named else None) == text


def test_same_policy_over_another_operators_change_is_refused() -> None:
    instance = Instance(policy_id="b", profile_name="p")
    with pytest.raises(Exception, match="Somebody else has changed the policy"):
        linking.link(instance, None, "a")


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (PolicyUse(), ""),
        (PolicyUse(hosts=1), "1 host follows it"),
        (PolicyUse(runs=1), "1 update run of the history names it"),
        (
            PolicyUse(2, 3),
            "2 hosts follow it, and 3 update runs of the history name it",
        ),
    ],
)
def test_policy_is_kept_for_a_reason(use: PolicyUse, reason: str) -> None:
    assert policies.why_kept(use) == reason


@pytest.mark.parametrize(
    ("rollout", "waves", "limits"),
    [
        ({}, "", ""),
        ({"waves": [{"percent": 5}, {"hosts": 40}]}, "5 %, 40 of the hosts", ""),
        (
            {"waves": [{"percent": 100}], "pauseSeconds": 3600, "maxFailed": 0},
            "100 % of the hosts, with 1 h between waves",
            "stops when more than 0 hosts of a wave fail",
        ),
        (
            {"waves": [{"percent": 100}], "maxFailedPercent": 5, "maxAtOnce": 1000},
            "100 % of the hosts",
            "stops when more than 5 % of a wave fail, at most 1,000 hosts at once",
        ),
    ],
)
def test_waves_in_words(rollout: dict[str, object], waves: str, limits: str) -> None:
    policy = Policy(name="p", rollout=rollout)
    assert policies.waves(policy).replace(JOINED, " ") == waves
    assert policies.limits(policy).replace(JOINED, " ") == limits
    assert policies.wave_text(RolloutWaveRule(percent=7)) == f"7{JOINED}%"


def test_refresh_is_told() -> None:
    assert told(Refresh(known=4)) == "Nothing new: 4 known already."
    assert told(Refresh(["p 2"], ["p 1"], ["q: broken"])) == (
        "1 new: p 2. 1 withdrawn: p 1. 1 refused: q: broken."
    )
