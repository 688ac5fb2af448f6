# SPDX-License-Identifier: Apache-2.0
"""Stories of update runs and rollouts, in steps that the world repeats until they are answered.

A node that gets no answer reports the same again; an operator who gets none looks, and does what is
not done yet; the release service publishes the same as before. So each step can be played again
from wherever the server was killed in it. Whom it is about is chosen before it begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.records import (
    Host,
    Instance,
    Policy,
    Project,
    Rollout,
    RolloutMember,
    SingleSchedule,
)
from orchestrator_stub.rollouts import control, ledger
from orchestrator_stub.vocabulary import MemberState, PolicyKind, RolloutState
from tests.unit.orchestrator_stub.maintenance.fleet import (
    PROFILE,
    PROJECT,
    START_S,
    Edge,
    failure,
    new_manager,
    os_profile,
)
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet

DAY_S = 86_400
Names = list[str]


@dataclass(frozen=True)
class Step:
    """Something that the world wants.

    Attributes:
        what: In words.
        act: Makes it happen, however much of it has happened already.
        choose: Whom it is about, as the records say before.
    """

    what: str
    act: Callable[[Town, Names], None]
    choose: Callable[[Town], Names] = lambda _town: []


class Town(StagedFleet):
    """A fleet whose hosts, policies and rollouts are known by their names."""

    def settle(self, *names: str) -> None:
        """Enrol hosts that are not, each in contact and with a window that is always open."""
        for name in names:
            guid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
            with self.database.writing() as session, contextlib.suppress(OrchestratorError):
                project = session.get_one(Project, PROJECT)
                host = enrolment.enrol(session, project, Candidate(name, guid, PROFILE, "1.0"))
                host.tokens_valid_from_s = START_S
            with self.database.writing() as session:
                host = session.scalars(select(Host).where(Host.name == name)).unique().one()
                host.last_seen_s = START_S
                mine = select(SingleSchedule).where(SingleSchedule.host_id == host.id)
                if session.scalars(mine).first() is None:
                    self._open(session, host)

    def _open(self, session: Session, host: Host) -> None:
        session.add(
            SingleSchedule(
                project_uuid=PROJECT,
                host_id=host.id,
                schedule_status="SCHEDULE_STATUS_OS_UPDATE",
                start_s=START_S - 1,
            )
        )

    def edge(self, name: str) -> Edge:
        with self.database.reading() as session:
            host = session.scalars(select(Host).where(Host.name == name)).unique().one()
            assert host.instance is not None
            node = NodeIdentity(host.uuid, PROJECT, START_S)
            return Edge(host.uuid, host.id, host.instance.id, node)

    def say(self, name: str, status: str, image: str = "1.0", **fields: Any) -> None:
        self.poll(self.edge(name), status, os_image_id=image, **fields)

    def follow(self, policy: str, *names: str, target: str = "", **fields: Any) -> None:
        """Have hosts follow a policy, which is made when it is not there; an empty one: none."""
        with self.database.reading() as session:
            known = session.scalars(select(Policy.id).where(Policy.name == policy)).first()
        if policy and known is None:
            known = self.add(
                Policy(
                    project_uuid=PROJECT,
                    name=policy,
                    kind=PolicyKind.TARGET if target else PolicyKind.LATEST,
                    target_os_id=self.os_id(target) if target else None,
                    **fields,
                )
            )
        policy_id = known if policy else None
        for name in names:
            self.link(self.edge(name), policy_id)

    def at(self, after_s: int) -> None:
        self.now_s = START_S + after_s

    def offered(self) -> Names:
        """The hosts that have the offer of a rollout that goes on, by name."""
        wanted = (
            select(Host.name)
            .join(Instance, Instance.host_id == Host.id)
            .join(RolloutMember, RolloutMember.instance_id == Instance.id)
            .join(Rollout, Rollout.id == RolloutMember.rollout_id)
            .where(RolloutMember.state == MemberState.OFFERED)
            .where(Rollout.state.in_([RolloutState.RUNNING, RolloutState.PAUSED]))
            .order_by(Host.name)
        )
        with self.database.reading() as session:
            return list(session.scalars(wanted))

    def wish(self, wish: str, state: RolloutState, version: str = "2.0") -> None:
        """What an operator does who looks first."""
        if self.rollout(version).state is not state:
            self.steer(wish, version=version)

    def try_again(self, name: str, version: str = "2.0") -> None:
        """Clear the quarantine of an image on one host, unless it is."""
        file_hash = os_profile(PROFILE, version).file_hash

        def change(session: Session) -> None:
            instance = session.get_one(Instance, self.edge(name).instance_id)
            if file_hash not in instance.released:
                control.release(session, instance, file_hash)

        self.database.write(change)

    def break_down(self, name: str, version: str = "2.0") -> None:
        self.say_failed(self.edge(name), version)


@contextlib.contextmanager
def same_waves() -> Iterator[None]:
    """Rollouts with an id that follows from policy and image: the waves depend on it."""

    def give_id(_rollout: Rollout, _arguments: Any, fields: dict[str, Any]) -> None:
        text = f"{fields['policy_id']} {fields['os_id']}"
        fields["id"] = f"rollout-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    event.listen(Rollout, "init", give_id)
    try:
        yield
    finally:
        event.remove(Rollout, "init", give_id)


def town(database: Database, now_s: int, versions: Names, withdrawn: dict[str, str]) -> Town:
    """The world as it is at some time, and a server that has just started."""
    made = Town(database, new_manager(database), now_s)
    made.published = {f"{PROFILE} {one}": os_profile(PROFILE, one) for one in versions}
    made.withdrawn = dict(withdrawn)
    return made


def versions_of(world: Town) -> Names:
    return [key.removeprefix(f"{PROFILE} ") for key in world.published]


def play(database: Database, order: dict[str, Any]) -> None:
    """One step of a story, in a server that has just started."""
    world = town(database, order["now_s"], order["versions"], order["withdrawn"])
    long_ago = patch.object(ledger, "_STARTED_S", START_S - 100_000)  # it knows who is silent
    with same_waves(), long_ago:
        STORIES[order["story"]][order["step"]].act(world, order["names"])


def publish(*versions: str) -> Callable[[Town, Names], None]:
    return lambda world, _: void(world.publish(*versions))


def void(_result: object) -> None:
    """Nothing: what a lambda gives is of no interest."""


def withdraw(version: str) -> Callable[[Town, Names], None]:
    def act(world: Town, _names: Names) -> None:
        world.published.pop(f"{PROFILE} {version}", None)
        world.withdrawn[f"{PROFILE} {version}"] = "it breaks"
        world.publish()

    return act


def say(name: str, status: str, image: str = "1.0", **fields: Any) -> Step:
    return Step(
        f"{name}: {status} {image}", lambda world, _: world.say(name, status, image, **fields)
    )


def sweep(after_s: int) -> Step:
    def act(world: Town, _names: Names) -> None:
        world.at(after_s)
        world.sweep()

    return Step(f"sweep after {after_s} s", act)


def follow(policy: str, *names: str, **fields: Any) -> Step:
    return Step(
        f"{names} follow {policy!r}", lambda world, _: world.follow(policy, *names, **fields)
    )


def everybody(status: str, image: str = "1.0") -> Step:
    """All who have the offer say something."""

    def act(world: Town, names: Names) -> None:
        for name in names:
            world.say(name, status, image)

    return Step(f"who is offered: {status}", act, lambda world: world.offered())


def first_breaks_down(version: str = "2.0") -> Step:
    def act(world: Town, names: Names) -> None:
        world.break_down(names[0], version)

    return Step("the first that is offered breaks down", act, lambda world: world.offered())


def wish(what: str, state: RolloutState) -> Step:
    return Step(what, lambda world, _: world.wish(what, state))


def failed(world: Town) -> Names:
    wanted = (
        select(Host.name)
        .join(Instance, Instance.host_id == Host.id)
        .join(RolloutMember, RolloutMember.instance_id == Instance.id)
        .where(RolloutMember.state == MemberState.FAILED)
        .order_by(Host.name)
    )
    with world.database.reading() as session:
        return list(session.scalars(wanted))


def try_again() -> Step:
    def act(world: Town, names: Names) -> None:
        world.try_again(names[0])

    return Step("what failed on the first is tried again", act, failed)


HOSTS = tuple("abcdef")
RUN = [
    Step("1.0 and 2.0 are published", publish("1.0", "2.0")),
    Step("hosts are enrolled", lambda world, _: world.settle(*HOSTS)),
    follow("newest", *HOSTS),
    *(say(name, "UP_TO_DATE") for name in "ab"),
    say("a", "DOWNLOADING", progress_percent=40),
    say("a", "DOWNLOADED"),
    say("a", "STARTED"),
    say("a", "UPDATED", "2.0"),
    say("a", "UP_TO_DATE", "2.0"),
    say("b", "FAILED", status_detail=failure("no route")),
    say("b", "FAILED", status_detail=failure("no route")),
    say("b", "FAILED", status_detail=failure("no name", START_S + 9)),
    say("c", "DOWNLOADING"),
    follow("", "c"),
    sweep(20),
    say("c", "UP_TO_DATE"),
    say("d", "STARTED"),
    sweep(4000),
    say("d", "UPDATED", "2.0"),
    say("e", "STARTED"),
    say("e", "UPDATED", "9.9"),
    say("f", "DOWNLOADING"),
    Step("3.0 is published", publish("3.0")),
    sweep(4020),
    say("f", "DOWNLOADING"),
    Step("3.0 is withdrawn", withdraw("3.0")),
    sweep(4040),
    say("f", "STARTED"),
    follow("hold", *"ab", target="1.0"),
    sweep(8000),
    say("f", "FAILED", status_detail=failure("it hung", START_S + 8000)),
    sweep(40 * DAY_S),
]
WAVES: dict[str, Any] = {
    "waves": [{"percent": 25}, {"percent": 100}],
    "maxAtOnce": 2,
    "maxFailed": 1,
    "pauseSeconds": 60,
}
CROWD = tuple(f"host-{number}" for number in range(8))
ROLLOUT = [
    Step("1.0 and 2.0 are published", publish("1.0", "2.0")),
    Step("hosts are enrolled", lambda world, _: world.settle(*CROWD)),
    follow("in waves", *CROWD, rollout=WAVES),
    sweep(10),
    everybody("DOWNLOADING"),
    everybody("STARTED"),
    first_breaks_down(),
    everybody("UPDATED", "2.0"),
    sweep(20),
    sweep(80),
    wish("pause", RolloutState.PAUSED),
    everybody("DOWNLOADING"),
    wish("resume", RolloutState.RUNNING),
    everybody("STARTED"),
    first_breaks_down(),
    first_breaks_down(),
    sweep(90),
    wish("resume", RolloutState.RUNNING),
    try_again(),
    sweep(100),
    Step("3.0 is published", publish("3.0")),
    sweep(110),
    everybody("DOWNLOADING"),
    Step("3.0 is withdrawn", withdraw("3.0")),
    sweep(120),
    *(
        step
        for turn in range(4)
        for step in (everybody("STARTED"), everybody("UPDATED", "2.0"), sweep(130 + 10 * turn))
    ),
]
STORIES = {"run": RUN, "rollout": ROLLOUT}
