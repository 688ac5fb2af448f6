# SPDX-License-Identifier: Apache-2.0
"""A lively fleet: what an operator's database looks like on an ordinary afternoon.

Two dozen hosts at four sites, in every state that the pages can show. The same seed makes the same
fleet, but for the ids; its times are relative to now.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from orchestrator_stub.records import (
    OPEN_END_S,
    Host,
    Instance,
    OSResource,
    Policy,
    Project,
    Region,
    RepeatedSchedule,
    Rollout,
    RolloutMember,
    SingleSchedule,
    Site,
    UpdateRun,
)
from orchestrator_stub.vocabulary import (
    HostState,
    Indication,
    InstanceState,
    MemberState,
    PolicyKind,
    RolloutState,
    ScheduleStatus,
)
from puad.core.errors import FailureReason
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
NONRT, KIOSK = "microvisor-nonrt", "kiosk"
VERSIONS = {
    NONRT: ("3.0.20260310.1204", "3.0.20260602.2200", "3.0.20260714.0915", "3.0.20260801.1010"),
    KIOSK: ("1.8.2", "1.9.0", "1.10.0"),
}
NAMES = {NONRT: "Edge Microvisor Toolkit", KIOSK: "Kiosk OS"}


@dataclass
class Fleet:
    """What was made, by name."""

    project: Project
    now_s: int
    regions: dict[str, Region] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    images: dict[tuple[str, str], OSResource] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    schedules: dict[str, SingleSchedule | RepeatedSchedule] = field(default_factory=dict)
    rollouts: dict[str, Rollout] = field(default_factory=dict)

    def newest(self, profile: str) -> OSResource:
        return self.images[profile, VERSIONS[profile][-1]]


def make(session: Session, project: Project, now_s: int) -> Fleet:
    """Fill a project with a lively fleet."""
    fleet = Fleet(project, now_s)
    _make_places(session, fleet)
    _make_images(session, fleet)
    _make_policies(session, fleet)
    session.flush()
    _make_hosts(session, fleet)
    session.flush()
    _make_schedules(session, fleet)
    _make_runs(session, fleet)
    _make_rollouts(session, fleet)
    session.flush()
    return fleet


def _make_places(session: Session, fleet: Fleet) -> None:
    for name, parent in (
        ("Germany", None),
        ("Bavaria", "Germany"),
        ("Berlin", "Germany"),
        ("Norway", None),
    ):
        fleet.regions[name] = Region(
            project_uuid=fleet.project.uuid,
            name=name,
            parent=fleet.regions[parent] if parent else None,
        )
    for name, region in (
        ("Munich store 12", "Bavaria"),
        ("Augsburg factory", "Bavaria"),
        ("Berlin store 3", "Berlin"),
        ("Oslo roadside 7", "Norway"),
    ):
        fleet.sites[name] = Site(
            project_uuid=fleet.project.uuid, name=name, region=fleet.regions[region]
        )
    session.add_all([*fleet.regions.values(), *fleet.sites.values()])


def cve(number: int, priority: str, *packages: str) -> dict[str, Any]:
    return {
        "cve_id": f"CVE-2026-{number}",
        "priority": priority,
        "affected_packages": list(packages),
    }


def _make_images(session: Session, fleet: Fleet) -> None:
    fixed = {
        "3.0.20260602.2200": [cve(10231, "high", "openssl-3.3.3-2.emt3.x86_64")],
        "3.0.20260714.0915": [cve(11007, "medium", "curl-8.12.1-1.emt3.x86_64")],
        "3.0.20260801.1010": [
            cve(11402, "critical", "kernel-6.12.41-1.emt3.x86_64"),
            cve(11007, "medium", "curl-8.12.1-1.emt3.x86_64"),
            cve(11388, "low", "python3-3.12.9-4.emt3.x86_64", "python3-libs-3.12.9-4.emt3.x86_64"),
        ],
        "1.10.0": [cve(9801, "high", "chromium-138.0-1.x86_64")],
    }
    for profile, versions in VERSIONS.items():
        for number, version in enumerate(versions):
            fleet.images[profile, version] = OSResource(
                project_uuid=fleet.project.uuid,
                name=f"{NAMES[profile]} {version}",
                profile_name=profile,
                image_id=version,
                image_url=f"{profile}/{version}/{profile}-{version}.raw.zst",
                file_hash=hashlib.sha256(f"{profile} {version}".encode()).hexdigest(),
                os_type="OS_TYPE_IMMUTABLE",
                os_provider="OS_PROVIDER_KIND_INFRA",
                security_feature="SECURITY_FEATURE_SECURE_BOOT_AND_FULL_DISK_ENCRYPTION",
                architecture="x86_64",
                description="",
                fixed_cves=fixed.get(version, []),
                withdrawn_reason=None,
                created_s=fleet.now_s - (len(versions) - number) * 30 * DAY_S,
            )
    fleet.images[
        NONRT, "3.0.20260714.0915"
    ].withdrawn_reason = "network does not come up on i225 cards"
    fleet.images[KIOSK, "1.9.0"].refused_hash = hashlib.sha256(b"another").hexdigest()
    session.add_all(fleet.images.values())


def _make_policies(session: Session, fleet: Fleet) -> None:
    def policy(name: str, kind: PolicyKind, description: str = "", **fields: Any) -> None:
        fleet.policies[name] = Policy(
            project_uuid=fleet.project.uuid,
            name=name,
            kind=kind,
            description=description,
            **fields,
        )

    waves = {
        "waves": [{"percent": 5}, {"percent": 25}, {"percent": 100}],
        "pauseSeconds": DAY_S,
        "maxFailed": 2,
        "maxFailedPercent": 30,
        "maxAtOnce": 50,
    }
    policy("newest", PolicyKind.LATEST, "Every store, as soon as a release is out", rollout=waves)
    policy("hold at June", PolicyKind.TARGET, target_os=fleet.images[NONRT, "3.0.20260602.2200"])
    policy("July, withdrawn", PolicyKind.TARGET, target_os=fleet.images[NONRT, "3.0.20260714.0915"])
    policy("kiosks to 1.10", PolicyKind.TARGET, target_os=fleet.images[KIOSK, "1.10.0"])
    session.add_all(fleet.policies.values())


@dataclass(frozen=True)
class Plan:
    """How one host is: its image by place in the row of versions, and its update."""

    image: int = -2
    status: str = "No new updates available"
    indicator: Indication = Indication.IDLE
    seen_ago_s: int | None = 12
    progress: int | None = None
    phase: str = ""
    policy: str = "newest"
    detail: str = ""


UP_TO_DATE = Plan(image=-1)
PLANS = {
    "till-01": UP_TO_DATE,
    "till-02": Plan(status="Downloading artifacts", progress=42, phase="writing"),
    "till-03": Plan(status="Download complete", phase="sealed"),
    "till-04": Plan(status="Updating", indicator=Indication.IN_PROGRESS, phase="rebooting"),
    "till-05": Plan(status="Update failed", indicator=Indication.ERROR),
    "till-06": Plan(seen_ago_s=5 * HOUR_S),
    "till-07": Plan(policy=""),
    "till-08": Plan(policy="hold at June", image=1),
    "press-line-a": Plan(policy="July, withdrawn", image=1),
    "press-line-b": UP_TO_DATE,
    "press-line-c": Plan(
        status="Updating", indicator=Indication.IN_PROGRESS, seen_ago_s=5 * MINUTE_S
    ),
    "cabinet-e6-km114": Plan(seen_ago_s=None, status="", indicator=Indication.UNSPECIFIED),
}


def failure(text: str, version: str, at_s: int) -> str:
    entry = UpdateLogEntry(
        LogStatus.ROLLEDBACK,
        version,
        datetime.fromtimestamp(at_s, UTC),
        FailureReason.CRITICAL_SERVICES,
        text,
        package_name=NONRT,
    )
    return dump_detail([entry])


FAILURE = (
    "probe pos.service: failed (Result: exit-code)\n"
    "till.local pos[812]: cannot open /dev/ttyS1: No such device\n"
    "the node is back on 3.0.20260602.2200"
)


def _make_hosts(session: Session, fleet: Fleet) -> None:
    chance = random.Random(5)  # the same fleet each time
    sites = list(fleet.sites.values())
    for number, (name, plan) in enumerate(PLANS.items()):
        site = fleet.sites["Augsburg factory"] if name.startswith("press") else sites[0]
        site = fleet.sites["Oslo roadside 7"] if name.startswith("cabinet") else site
        _add_host(fleet, name, plan, site, number)
    for number in range(1, 14):
        image = chance.choice((0, 1, 2))
        plan = Plan(image=image, policy="kiosks to 1.10" if image != 1 else "")
        site = fleet.sites["Berlin store 3"]
        _add_host(fleet, f"kiosk-{number:02}", plan, site, 100 + number)
    session.add_all(fleet.hosts.values())
    fleet.hosts["kiosk-13"].state = HostState.UNTRUSTED
    fleet.hosts["kiosk-13"].note = "stolen from the shop floor"
    fleet.hosts["kiosk-12"].site = None
    fleet.hosts["till-08"].token_expires_s = fleet.now_s + 9 * DAY_S


def _add_host(fleet: Fleet, name: str, plan: Plan, site: Site, number: int) -> None:
    profile = KIOSK if name.startswith(KIOSK) else NONRT
    now_s = fleet.now_s
    running = fleet.images[profile, VERSIONS[profile][plan.image]]
    if plan.image == -2 and profile == NONRT:
        running = fleet.images[NONRT, "3.0.20260602.2200"]
    newest = fleet.newest(profile)
    host = Host(
        project_uuid=fleet.project.uuid,
        name=name,
        uuid=str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4)),
        site=site,
        token_expires_s=now_s + 300 * DAY_S,
        last_seen_s=None if plan.seen_ago_s is None else now_s - plan.seen_ago_s,
    )
    failed = plan.indicator is Indication.ERROR
    detail = failure(FAILURE, newest.image_id, now_s - 26 * MINUTE_S) if failed else ""
    host.instance = Instance(
        project_uuid=fleet.project.uuid,
        name=f"{name}-instance",
        state=InstanceState.RUNNING,
        profile_name=profile,
        image_id=running.image_id,
        os=running,
        available_os=None if running is newest else newest,
        policy=fleet.policies.get(plan.policy),
        update_status=plan.status,
        update_status_indicator=plan.indicator,
        update_status_s=_changed_s(now_s, plan),
        update_status_detail=detail,
        update_progress_percent=plan.progress,
        phase=plan.phase,
        quarantine=[newest.file_hash] if failed else [],
        slots=_slots(running.image_id, newest.image_id, plan),
    )
    fleet.hosts[name] = host


def _changed_s(now_s: int, plan: Plan) -> int:
    if plan.indicator is Indication.ERROR:
        return now_s - 26 * MINUTE_S
    return now_s - (plan.seen_ago_s or 0) - 4 * MINUTE_S if plan.status else 0


def _slots(running: str, newest: str, plan: Plan) -> list[dict[str, Any]]:
    if not plan.status:
        return []
    failed = plan.indicator is Indication.ERROR
    return [
        {"name": "a", "image_id": running, "state": "booted", "assessment": "good"},
        {
            "name": "b",
            "image_id": newest if plan.phase in {"sealed", "rebooting"} or failed else "",
            "state": "inactive",
            "assessment": "bad" if failed else "indeterminate",
        },
    ]


def _make_schedules(session: Session, fleet: Fleet) -> None:
    def targeted(**target: Any) -> dict[str, Any]:
        return {"project_uuid": fleet.project.uuid, **target}

    day_s = fleet.now_s - fleet.now_s % DAY_S
    hour = fleet.now_s % DAY_S // HOUR_S
    # neither is open now, whenever that is
    night = 21 if 2 <= hour < 20 else 9
    early = 1 if 4 <= hour < 23 else 11
    fleet.schedules = {
        "Nights": RepeatedSchedule(
            **targeted(region=fleet.regions["Germany"]),
            name="Nights",
            schedule_status=ScheduleStatus.OS_UPDATE,
            duration_s=4 * HOUR_S,
            cron_minutes="0",
            cron_hours=str(night),
            cron_day_month="*",
            cron_month="*",
            cron_day_week="1,2,3,4,5",
        ),
        "Inventory": SingleSchedule(
            **targeted(site=fleet.sites["Augsburg factory"]),
            name="Inventory",
            schedule_status=ScheduleStatus.MAINTENANCE,
            start_s=fleet.now_s - HOUR_S,
            end_s=fleet.now_s + 3 * HOUR_S,
        ),
        "First of the month": RepeatedSchedule(
            **targeted(site=fleet.sites["Oslo roadside 7"]),
            name="First of the month",
            schedule_status=ScheduleStatus.OS_UPDATE,
            duration_s=2 * HOUR_S,
            cron_minutes="30",
            cron_hours=str(early),
            cron_day_month="1",
            cron_month="*",
            cron_day_week="*",
        ),
        "Catch up till-05": SingleSchedule(
            **targeted(host=fleet.hosts["till-05"]),
            name="Catch up till-05",
            schedule_status=ScheduleStatus.OS_UPDATE,
            start_s=day_s + 3 * DAY_S + 20 * HOUR_S,
            end_s=0,
        ),
    }
    session.add_all(fleet.schedules.values())


def _make_runs(session: Session, fleet: Fleet) -> None:
    def run(host: str, number: int, status: str, indicator: Indication, **fields: Any) -> None:
        instance = fleet.hosts[host].instance
        assert instance is not None
        start_s = fields.pop("start_s")
        session.add(
            UpdateRun(
                project_uuid=fleet.project.uuid,
                instance=instance,
                number=number,
                policy=instance.policy,
                name=f"{host[:13]} update {datetime.fromtimestamp(start_s, UTC):%Y%m%d-%H%M%S}",
                description=f"OS update for {NAMES[instance.profile_name]}",
                status=status,
                status_indicator=indicator,
                start_s=start_s,
                **fields,
            )
        )

    now_s, newest = fleet.now_s, VERSIONS[NONRT][-1]
    for host, status, indicator in (
        ("till-02", "Downloading artifacts", Indication.IDLE),
        ("till-03", "Download complete", Indication.IDLE),
        ("till-04", "Updating", Indication.IN_PROGRESS),
    ):
        run(
            host, 2, status, indicator, image_id=newest, status_s=now_s - 240, end_s=OPEN_END_S,
            start_s=now_s - 1500, started_s=now_s - 240 if host == "till-04" else 0,
        )  # fmt: skip
    for host in ("till-01", "till-02", "till-04", "till-05"):
        run(
            host, 1, "Update completed", Indication.IDLE, image_id="3.0.20260602.2200",
            start_s=now_s - 40 * DAY_S, status_s=now_s - 40 * DAY_S, started_s=now_s - 40 * DAY_S,
            end_s=now_s - 40 * DAY_S + 380,
        )  # fmt: skip
    run(
        "till-05", 2, "Update failed", Indication.ERROR, image_id=newest,
        start_s=now_s - 2 * HOUR_S, started_s=now_s - 40 * MINUTE_S, status_s=now_s - 26 * MINUTE_S,
        end_s=now_s - 26 * MINUTE_S, status_details=failure(FAILURE, newest, now_s - 26 * MINUTE_S),
        failure=f"{newest} {now_s}",
    )  # fmt: skip
    run(
        "till-05", 3, "Cancelled: the policy was changed", Indication.IDLE,
        image_id="3.0.20260714.0915", start_s=now_s - 20 * DAY_S, status_s=now_s - 20 * DAY_S,
        end_s=now_s - 20 * DAY_S + 4000,
    )  # fmt: skip


def _make_rollouts(session: Session, fleet: Fleet) -> None:
    policy = fleet.policies["newest"]
    running = Rollout(
        project_uuid=fleet.project.uuid,
        policy=policy,
        os=fleet.newest(NONRT),
        wave=1,
        wave_start_s=fleet.now_s - 2 * HOUR_S,
        created_s=fleet.now_s - 9 * HOUR_S,
    )
    stopped = Rollout(
        project_uuid=fleet.project.uuid,
        policy=policy,
        os=fleet.images[NONRT, "3.0.20260714.0915"],
        state=RolloutState.STOPPED,
        reason="2 of 2 hosts of wave 1 failed; the policy allows 30 %",
        wave=0,
        wave_start_s=fleet.now_s - 20 * DAY_S,
        end_s=fleet.now_s - 19 * DAY_S,
        created_s=fleet.now_s - 20 * DAY_S,
    )
    session.add_all([running, stopped])
    session.flush()
    states = {
        "till-01": (0, MemberState.UPDATED),
        "press-line-b": (1, MemberState.UPDATED),
        "till-02": (1, MemberState.OFFERED),
        "till-04": (1, MemberState.OFFERED),
        "till-05": (1, MemberState.FAILED),
        "till-03": (2, MemberState.WAITING),
        "till-06": (2, MemberState.WAITING),
    }
    for host, (wave, state) in states.items():
        _add_member(session, fleet, running, host, wave, state)
    for host in ("till-02", "till-05"):
        _add_member(session, fleet, stopped, host, 0, MemberState.FAILED)
    fleet.rollouts = {"running": running, "stopped": stopped}


def _add_member(
    session: Session, fleet: Fleet, rollout: Rollout, host: str, wave: int, state: MemberState
) -> None:
    instance = fleet.hosts[host].instance
    assert instance is not None
    session.add(
        RolloutMember(
            rollout_id=rollout.id,
            instance_id=instance.id,
            wave=wave,
            state=state,
            state_s=fleet.now_s - HOUR_S,
        )
    )
