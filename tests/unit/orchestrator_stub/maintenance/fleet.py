# SPDX-License-Identifier: Apache-2.0
"""A project with hosts whose nodes poll, at times that the test chooses."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event, select

from orchestrator_stub import enrolment
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.maintenance import MaintenanceManager, MaintenanceSettings, Poll
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.os_resources.taking import Refresh, take
from orchestrator_stub.records import (
    Base,
    Host,
    Instance,
    OSResource,
    Policy,
    Project,
    RepeatedSchedule,
    SingleSchedule,
    UpdateRun,
)
from orchestrator_stub.release.catalogue import Catalogue, Withdrawal
from orchestrator_stub.release_service import ProfileEntry, Publication
from orchestrator_stub.vocabulary import PolicyKind, ScheduleStatus
from puad.core.profile import OSProfile
from puad.core.wire import Answer, StatusReport, StatusType

PROJECT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
START_S = 1_800_000_000
PROFILE = "edge"


@dataclass(frozen=True)
class Edge:
    """An enrolled host as its node knows it."""

    guid: str
    host_id: str
    instance_id: str
    node: NodeIdentity


@dataclass
class Fleet:
    """The server side of some nodes, and the time that it is there."""

    database: Database
    manager: MaintenanceManager
    now_s: int = START_S
    published: dict[str, OSProfile] = field(default_factory=dict)
    withdrawn: dict[str, str] = field(default_factory=dict)

    def enrol(self, image_id: str = "1.0", profile: str = PROFILE) -> Edge:
        guid = str(uuid.uuid4())
        with self.database.writing() as session:
            project = session.get_one(Project, PROJECT)
            candidate = Candidate(f"host-{guid[:8]}", guid, profile, image_id)
            host = enrolment.enrol(session, project, candidate)
            host.tokens_valid_from_s = START_S
            assert host.instance is not None
            return Edge(guid, host.id, host.instance.id, NodeIdentity(guid, PROJECT, START_S))

    def poll(self, edge: Edge, status: str, **fields: Any) -> Answer:
        report = StatusReport(StatusType(f"STATUS_TYPE_{status}"), **fields)
        return self.manager.answer(Poll(edge.node, edge.guid, report, self.now_s))

    def later(self, seconds: int = 20) -> None:
        self.now_s += seconds

    def sweep(self) -> None:
        self.manager.sweep(self.now_s)

    def publish(self, *versions: str, profile: str = PROFILE) -> Refresh:
        """Publish more versions, with what was withdrawn."""
        for version in versions:
            self.published[f"{profile} {version}"] = os_profile(profile, version)
        entries = tuple(ProfileEntry(path, found) for path, found in self.published.items())
        gone = tuple(
            Withdrawal(PROFILE, key.removeprefix(f"{PROFILE} "), reason, "2026-01-01T00:00:00Z")
            for key, reason in self.withdrawn.items()
        )
        catalogue = Catalogue(tuple(self.published), gone)
        with self.database.writing() as session:
            return take(session, Publication(entries, catalogue), Selection())

    def withdraw(self, version: str, reason: str = "it breaks") -> None:
        del self.published[f"{PROFILE} {version}"]
        self.withdrawn[f"{PROFILE} {version}"] = reason
        self.publish()

    def os_id(self, version: str) -> str:
        with self.database.reading() as session:
            wanted = select(OSResource.id).where(OSResource.image_id == version)
            return session.scalars(wanted).one()

    def policy(self, target: str = "", **fields: Any) -> str:
        """A policy for one version, or for the newest."""
        kind = PolicyKind.TARGET if target else PolicyKind.LATEST
        target_id = self.os_id(target) if target else None
        with self.database.writing() as session:
            policy = Policy(
                project_uuid=PROJECT, name="p", kind=kind, target_os_id=target_id, **fields
            )
            session.add(policy)
            session.flush()
            return policy.id

    def link(self, edge: Edge, policy_id: str | None) -> None:
        self.change(edge, policy_id=policy_id)

    def change(self, edge: Edge, **fields: Any) -> None:
        """Change fields of an instance, as an operator does."""
        with self.database.writing() as session:
            instance = session.get_one(Instance, edge.instance_id)
            for name, value in fields.items():
                setattr(instance, name, value)

    def single(self, start_s: int, end_s: int = 0, status: str = "OS_UPDATE", **target: str) -> str:
        return self.add(
            SingleSchedule(
                project_uuid=PROJECT,
                schedule_status=ScheduleStatus(f"SCHEDULE_STATUS_{status}"),
                start_s=start_s,
                end_s=end_s,
                **target,
            )
        )

    def repeated(self, hour: str = "2", status: str = "OS_UPDATE", **target: str) -> str:
        return self.add(
            RepeatedSchedule(
                project_uuid=PROJECT,
                schedule_status=ScheduleStatus(f"SCHEDULE_STATUS_{status}"),
                duration_s=3600,
                cron_minutes="0",
                cron_hours=hour,
                cron_day_month="*",
                cron_month="*",
                cron_day_week="*",
                **target,
            )
        )

    def add(self, row: Any) -> str:
        with self.database.writing() as session:
            session.add(row)
            session.flush()
            return str(row.id)

    def instance(self, edge: Edge) -> Instance:
        with self.database.reading() as session:
            return session.get_one(Instance, edge.instance_id)

    def host(self, edge: Edge) -> Host:
        with self.database.reading() as session:
            return session.get_one(Host, edge.host_id)

    def runs(self, edge: Edge) -> list[UpdateRun]:
        """The runs of an instance, oldest first."""
        with self.database.reading() as session:
            wanted = select(UpdateRun).where(UpdateRun.instance_id == edge.instance_id)
            return list(session.scalars(wanted.order_by(UpdateRun.number)).unique())

    def run(self, edge: Edge) -> UpdateRun:
        (only,) = self.runs(edge)
        return only

    @contextlib.contextmanager
    def writes(self) -> Iterator[list[str]]:
        """The statements that change something, while the block lasts."""
        found: list[str] = []

        def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
            if not statement.lstrip().upper().startswith(("SELECT", "BEGIN", "WITH")):
                found.append(statement)

        with self._listening(note):
            yield found

    @contextlib.contextmanager
    def queries(self) -> Iterator[list[str]]:
        """Every statement, while the block lasts."""
        found: list[str] = []

        def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
            if not statement.lstrip().upper().startswith("BEGIN"):
                found.append(statement)

        with self._listening(note):
            yield found

    @contextlib.contextmanager
    def _listening(self, note: Any) -> Iterator[None]:
        engines = self.database._engines.pools
        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        try:
            yield
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", note)


def new_fleet(database: Database, **settings: int) -> Fleet:
    """A fleet without hosts in a database whose rows are thrown away."""
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())
        session.add(Project(uuid=PROJECT, name="default"))
    return Fleet(database, new_manager(database, **settings))


def new_manager(database: Database, **settings: int) -> MaintenanceManager:
    return MaintenanceManager(database, MaintenanceSettings(**settings), since_s=START_S - 100_000)


def os_profile(profile: str, version: str, **changes: Any) -> OSProfile:
    return OSProfile(
        name=f"{profile} {version}",
        profile_name=profile,
        image_url=f"{profile}/{version}/{profile}-{version}.raw.zst",
        image_id=version,
        file_hash=hashlib.sha256(f"{profile} {version}".encode()).hexdigest(),
        **changes,
    )


def failure(cause: str = "probe web failed", at_s: int | None = START_S, image: str = "2.0") -> str:
    """The detail of a failure, as a node sends it."""
    entry = {
        "update_type": "OS",
        "package_name": PROFILE,
        "action": "upgrade",
        "status": "rolledback",
        "version": image,
        "failure_reason": "criticalservices",
        "failure_log": cause,
    }
    if at_s is not None:
        entry["update_time"] = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"update_log": [entry]})
