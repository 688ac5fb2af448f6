# SPDX-License-Identifier: Apache-2.0
"""A shop with ten tills, as an operator finds it one morning: a real server, nodes that poll it."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from orchestrator_stub import commands
from orchestrator_stub.access import operators
from orchestrator_stub.access.passwords import Passwords
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.records import Project, Rollout, RolloutMember, SingleSchedule
from orchestrator_stub.vocabulary import Scope
from puad.core.errors import FailureReason
from puad.core.model import Assessment, SlotState
from puad.core.update_log import LogStatus, UpdateLogEntry, dump_detail
from puad.core.wire import Answer, SlotReport
from tests.integration.orchestrator_stub.published import Published
from tests.integration.orchestrator_stub.running import (
    YEAR_S,
    Node,
    Orchestrator,
    new_directory,
    os_profile,
    serving,
)
from tests.integration.web.serving import PASSWORD

PROFILE = "edge"
OPERATOR = "ada"
TILLS = 10
PATIENCE_S = 120
CAUSE = "probe pos.service: failed\ntill pos[812]: cannot open /dev/ttyS1"


@dataclass
class Till:
    """A node that says what a real one would."""

    name: str
    node: Node
    image_id: str = "1.0"
    quarantine: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    def poll(self, status: str = "", **fields: Any) -> Answer:
        """Report, and forget what an operator has released."""
        if not status:
            status = "FAILED" if self.failed else "UP_TO_DATE"
        answer = self.node.poll(
            status,
            profile_name=PROFILE,
            os_image_id=self.image_id,
            slots=self._slots(fields.get("phase", "")),
            quarantine=self.quarantine,
            **{**(self.failed if status == "FAILED" else {}), **fields},
        )
        self.quarantine = tuple(
            one for one in self.quarantine if one not in answer.clear_quarantine
        )
        if not self.quarantine:
            self.failed = {}
        return answer

    def is_offered(self) -> bool:
        """Whether it may update now."""
        answer = self.poll()
        return answer.offer is not None and answer.schedules.single is not None

    def update(self) -> None:
        """Update, and report each step."""
        self.poll("DOWNLOADING", progress_percent=100, phase="sealing")
        self.poll("DOWNLOADED", phase="sealed")
        self.poll("STARTED", phase="rebooting")
        self.image_id = "2.0"
        self.poll("UPDATED")
        self.poll()

    def fail(self) -> None:
        """Boot the new slot, find it bad, and be back on the old one."""
        self.poll("DOWNLOADING", progress_percent=100, phase="sealing")
        self.poll("STARTED", phase="rebooting")
        entry = UpdateLogEntry(
            LogStatus.ROLLEDBACK,
            "2.0",
            datetime.now(UTC),
            FailureReason.CRITICAL_SERVICES,
            CAUSE,
            package_name=PROFILE,
        )
        self.quarantine = (os_profile(PROFILE, "2.0").file_hash,)
        self.failed = {"status_detail": dump_detail([entry])}
        self.poll()

    def _slots(self, phase: str) -> tuple[SlotReport, ...]:
        sealed = "2.0" if phase in {"sealed", "rebooting"} else ""
        return (
            SlotReport("a", self.image_id, SlotState.BOOTED, Assessment.GOOD),
            SlotReport("b", sealed, SlotState.INACTIVE, Assessment.INDETERMINATE),
        )


@dataclass
class Shop:
    """A running orchestrator, its release service, and the tills."""

    orchestrator: Orchestrator
    published: Published
    tills: dict[str, Till]

    @property
    def url(self) -> str:
        return self.orchestrator.url.rstrip("/")

    def publish(self, version: str) -> None:
        self.published.add(PROFILE, version)
        self.published.publish()

    def everyone_polls(self) -> None:
        for till in self.tills.values():
            till.poll()

    def of_wave(self, wave: int) -> list[Till]:
        """The tills of a wave of the only rollout."""
        with self.orchestrator.database.reading() as session:
            rollout_id = session.scalars(select(Rollout.id)).one()
            wanted = select(RolloutMember.instance_id).where(
                RolloutMember.rollout_id == rollout_id, RolloutMember.wave == wave
            )
            ids = set(session.scalars(wanted))
        return [till for till in self.tills.values() if till.node.instance_id in ids]

    def let_the_evening_come(self) -> None:
        """Have the single window that was set for tomorrow open now."""
        with self.orchestrator.database.writing() as session:
            session.scalars(select(SingleSchedule)).one().start_s = int(time.time()) - 60


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the server does by itself."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s in vain until {what}"
        time.sleep(0.2)


@contextlib.contextmanager
def opened_shop(folder: Path) -> Iterator[Shop]:
    """The shop, with its first release and one operator, until the block ends."""
    published = Published(folder / "release")
    published.add(PROFILE, "1.0")
    published.publish()
    directory = new_directory(folder / "data")
    release = ["--release-dir", str(published.folder), "--release-root", str(published.root_json)]
    with serving(directory, *release) as orchestrator:
        _hire(orchestrator)
        tills = {
            till.name: till
            for till in (_enrolled(directory, orchestrator, n + 1) for n in range(TILLS))
        }
        yield Shop(orchestrator, published, tills)


def _hire(orchestrator: Orchestrator) -> None:
    with orchestrator.database.writing() as session:
        operator = operators.add(session, OPERATOR, Passwords().hash_of(PASSWORD))
        operators.admit(session, operator, session.scalars(select(Project)).one(), Scope.WRITE)


def _enrolled(directory: DataDirectory, orchestrator: Orchestrator, number: int) -> Till:
    name, guid = f"till-{number:02}", str(uuid.uuid4())
    facts = commands.enrol(directory, Candidate(name, guid, PROFILE, "1.0"), YEAR_S, renew=False)
    node = Node(orchestrator, PROFILE, guid, facts["host_id"], facts["instance_id"], facts["token"])
    return Till(name, node)
