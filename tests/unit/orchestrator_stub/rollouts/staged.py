# SPDX-License-Identifier: Apache-2.0
"""A fleet whose policies have waves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.records import Host, Instance, OSResource, Project, Rollout, RolloutMember
from orchestrator_stub.rollouts import control
from orchestrator_stub.rollouts.gate import Gate, gate
from orchestrator_stub.vocabulary import MemberState, RolloutState
from tests.unit.orchestrator_stub.maintenance.fleet import PROJECT, Edge, Fleet, failure, new_fleet


class StagedFleet(Fleet):
    """What tests of rollouts do and look at."""

    def staged(self, *percents: int, target: str = "", **rules: int) -> str:
        """A policy with waves, for the newest or for one version."""
        waves = [{"percent": one} for one in percents]
        return self.policy(target, rollout={"waves": waves, **rules})

    def enrolled(self, number: int, policy_id: str | None = None) -> list[Edge]:
        """Hosts that are in contact and have a window that is always open."""
        edges = [self.enrol() for _ in range(number)]
        for edge in edges:
            self.single(self.now_s - 1, host_id=edge.host_id)
            if policy_id:
                self.link(edge, policy_id)
        self.seen(edges)
        return edges

    def seen(self, edges: Iterable[Edge]) -> None:
        """Have their nodes seen now."""
        with self.database.writing() as session:
            for edge in edges:
                session.get_one(Host, edge.host_id).last_seen_s = self.now_s

    def revision(self) -> int:
        with self.database.reading() as session:
            return session.get_one(Project, PROJECT).revision

    def rollout(self, version: str = "2.0") -> Rollout:
        with self.database.reading() as session:
            wanted = select(Rollout).join(OSResource, OSResource.id == Rollout.os_id)
            return session.scalars(wanted.where(OSResource.image_id == version)).unique().one()

    def rollouts(self) -> dict[str, RolloutState]:
        """The state of each rollout, by the image's version."""
        with self.database.reading() as session:
            return {row.os.image_id: row.state for row in session.scalars(select(Rollout)).unique()}

    def members(self, version: str = "2.0") -> dict[str, RolloutMember]:
        """The members of a rollout, by the instance's id."""
        mine = RolloutMember.rollout_id == self.rollout(version).id
        with self.database.reading() as session:
            rows = session.scalars(select(RolloutMember).where(mine)).all()
        return {row.instance_id: row for row in rows}

    def states(self, version: str = "2.0") -> str:
        """How members fare, as `2 offered, 8 waiting`."""
        counts = Counter(row.state for row in self.members(version).values())
        words = {state: state.removeprefix("MEMBER_STATE_").lower() for state in MemberState}
        found = {words[state]: counts[state] for state in counts}
        return ", ".join(f"{number} {word}" for word, number in sorted(found.items()))

    def of_wave(self, edges: Iterable[Edge], wave: int) -> list[Edge]:
        members = self.members()
        return [
            edge
            for edge in edges
            if edge.instance_id in members and members[edge.instance_id].wave == wave
        ]

    def with_state(self, edges: Iterable[Edge], state: MemberState) -> list[Edge]:
        members = self.members()
        return [edge for edge in edges if members[edge.instance_id].state is state]

    def gate(self, edge: Edge, version: str = "2.0") -> Gate:
        with self.database.reading() as session:
            instance = session.get_one(Instance, edge.instance_id)
            image = session.scalars(select(OSResource).where(OSResource.image_id == version)).one()
            return gate(session, instance, image, self.now_s)

    def update(self, *edges: Edge, version: str = "2.0") -> None:
        """Have nodes update to the end."""
        for edge in edges:
            self.poll(edge, "DOWNLOADING")
            self.poll(edge, "STARTED")
            self.poll(edge, "UPDATED", os_image_id=version)

    def fail(self, *edges: Edge, version: str = "2.0") -> None:
        """Have an image fail on nodes."""
        for edge in edges:
            self.poll(edge, "DOWNLOADING")
            self.poll(edge, "STARTED")
            self.say_failed(edge, version)

    def say_failed(self, edge: Edge, version: str = "2.0") -> Any:
        """Have a node say that an image has failed, which it has in quarantine."""
        return self.poll(
            edge,
            "FAILED",
            os_image_id="1.0",
            status_detail=failure(at_s=self.now_s, image=version),
            quarantine=(self.published[f"edge {version}"].file_hash,),
        )

    def steer(self, wish: str, why: str = "", version: str = "2.0") -> None:
        """Pause, resume or stop a rollout."""

        def change(session: Session) -> None:
            row = session.get_one(Rollout, self.rollout(version).id)
            match wish:
                case "pause":
                    control.pause(session, row, "ada", why)
                case "stop":
                    control.stop(session, row, "ada", why)
                case _:
                    control.resume(session, row)

        self.database.write(change)


def new_staged_fleet(database: Database) -> StagedFleet:
    """A fleet without hosts; versions 1.0 and 2.0 are published."""
    plain = new_fleet(database)
    fleet = StagedFleet(plain.database, plain.manager)
    fleet.publish("1.0", "2.0")
    return fleet
