# SPDX-License-Identifier: Apache-2.0
"""Two server processes that sweep one PostgreSQL: runs end once, waves come in turn, k at once."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select

from orchestrator_stub.records import OPEN_END_S, Instance, OSResource, Rollout, RolloutMember
from orchestrator_stub.vocabulary import MemberState
from puad.core.wire import Answer
from tests.integration.conftest import wait_until
from tests.integration.orchestrator_stub.pair import Pair, together
from tests.integration.orchestrator_stub.published import Published
from tests.integration.orchestrator_stub.running import Node, Orchestrator

CROWD = 12
AT_ONCE = 3
WAVE = 6
PATIENCE_S = 300


def ended(orchestrator: Orchestrator, end: str) -> float:
    """How many runs a process says that it has ended in this way."""
    text = orchestrator.session.get(f"{orchestrator.url}metrics", timeout=60).text
    (found,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "puad_update_runs_ended_total" and sample.labels["end"] == end
    )
    return found


def crowd(pair: Pair) -> list[Node]:
    """Hosts of one profile whose window opens soon, all of which have reported."""
    first = pair.node()
    nodes = [first, *(pair.one.enrol(first.profile) for _ in range(CROWD - 1))]
    start_s = int(time.time()) + 60
    for node in nodes:
        window = {
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "targetHostId": node.host_id,
            "startSeconds": start_s,
        }
        pair.one.create("compute/schedules/single", window)
        node.poll("UP_TO_DATE", os_image_id="1.0")
    return nodes


def link_at_once(pair: Pair, nodes: list[Node], policy_id: str) -> None:
    """In one change, so that the waves are made of all of them."""
    with pair.one.database.writing() as session:
        for node in nodes:
            session.get_one(Instance, node.instance_id).policy_id = policy_id


@pytest.mark.parametrize("why", ["was unlinked", "was withdrawn"])
def test_runs_that_nobody_wants_end_once_though_their_nodes_are_silent(
    pair: Pair, why: str
) -> None:
    nodes = crowd(pair)
    policy = pair.one.policy("LATEST")
    for node in nodes:
        node.link(policy)
        node.poll("DOWNLOADING", os_image_id="1.0")
    before = sum(ended(each, "cancelled") for each in (pair.one, pair.other))
    if why == "was unlinked":
        together(*(partial(node.link, "") for node in nodes))
    else:
        pair.one.publish(nodes[0].profile, "1.0", withdrawn=("2.0",))
    wait_until(
        lambda: all(node.runs()[0]["endTime"] < OPEN_END_S for node in nodes), "each run has ended"
    )
    for node in nodes:
        (run,) = node.runs()
        assert why in run["status"]
        assert run["statusIndicator"] == "STATUS_INDICATION_IDLE"
    after = sum(ended(each, "cancelled") for each in (pair.one, pair.other))
    assert after - before == len(nodes)


@dataclass
class Watch:
    """Who has the offer, as the nodes themselves know it, and who has come to the end."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    holding: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    most: int = 0

    def told(self, node: Node, answer: Answer) -> bool:
        with self.lock:
            if answer.offer is not None:
                self.holding.add(node.instance_id)
            self.most = max(self.most, len(self.holding))
        return answer.offer is not None

    def ends(self, node: Node) -> None:
        """Before the node says so: with that word the server may give its turn to another."""
        with self.lock:
            self.holding.discard(node.instance_id)
            self.done.append(node.instance_id)


def update(watch: Watch, pair: Pair, node: Node, seed: int) -> None:
    """A node that asks now at one server and now at the other, until it runs the new image."""
    random = Random(seed)
    either = pair.both(node)
    end = time.monotonic() + PATIENCE_S

    def poll(status: str, image: str = "1.0") -> Answer:
        return random.choice(either).poll(status, os_image_id=image, profile_name=node.profile)

    while not watch.told(node, poll("UP_TO_DATE")):
        assert time.monotonic() < end, "it never had its turn"
        time.sleep(random.random() / 10)
    for status in ("DOWNLOADING", "DOWNLOADED", "STARTED"):
        watch.told(node, poll(status))
    watch.ends(node)
    poll("UPDATED", "2.0")


@pytest.mark.timeout(1800)
def test_no_more_than_so_many_have_the_offer_at_once_wave_by_wave(pair: Pair) -> None:
    nodes = crowd(pair)
    waves = {"waves": [{"percent": 50}, {"percent": 100}], "maxAtOnce": AT_ONCE, "maxFailed": 0}
    policy = pair.one.policy("LATEST", rollout=waves)
    link_at_once(pair, nodes, policy)
    watch, over, seen = Watch(), threading.Event(), [0]

    def look() -> None:
        """What the records say meanwhile, time and again."""
        while not over.is_set():
            with pair.one.database.reading() as session:
                offered = select(func.count()).where(RolloutMember.state == MemberState.OFFERED)
                mine = RolloutMember.rollout_id.in_(
                    select(Rollout.id).where(Rollout.policy_id == policy)
                )
                seen.append(session.scalar(offered.where(mine)) or 0)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        together(*(partial(update, watch, pair, node, n) for n, node in enumerate(nodes)))
    finally:
        over.set()
        looker.join()
    assert max(seen) == watch.most == AT_ONCE
    with pair.one.database.reading() as session:
        (rollout,) = session.scalars(select(Rollout).where(Rollout.policy_id == policy)).unique()
        members = session.scalars(
            select(RolloutMember).where(RolloutMember.rollout_id == rollout.id)
        ).all()
    wave_of = {member.instance_id: member.wave for member in members}
    assert [wave_of[one] for one in watch.done] == [0] * WAVE + [1] * (CROWD - WAVE)
    wait_until(
        lambda: "DONE" in pair.other.get(f"compute/rollouts/{rollout.id}")["state"], "it is done"
    )
    for node in nodes:
        assert [run["status"] for run in node.runs()] == ["Update completed"]


def test_wave_in_which_one_fails_is_the_last_at_either_server(pair: Pair) -> None:
    nodes = crowd(pair)
    rules = {"waves": [{"percent": 50}, {"percent": 100}], "maxFailed": 0}
    policy = pair.one.policy("LATEST", rollout=rules)
    link_at_once(pair, nodes, policy)

    def offered(node: Node) -> bool:
        told = [each.poll("UP_TO_DATE", os_image_id="1.0") for each in pair.both(node)]
        return all(one.offer is not None for one in told)

    wait_until(lambda: sum(map(offered, nodes)) == WAVE, "the first wave is offered the image")
    first = next(node for node in nodes if offered(node))
    for node, status in zip(pair.both(first), ("STARTED", "FAILED"), strict=True):
        node.poll(status, os_image_id="1.0")
    wait_until(lambda: not any(map(offered, nodes)), "nobody is offered it any more")
    (rollout,) = (
        one
        for one in pair.other.get("compute/rollouts?pageSize=100")["rollouts"]
        if one["policy"]["resourceId"] == policy
    )
    assert rollout["state"] == "ROLLOUT_STATE_STOPPED"
    assert "1 of 6 hosts of wave 1 failed" in rollout["reason"]


def test_operators_who_steer_a_rollout_at_both_do_so_in_turn(pair: Pair) -> None:
    """Each word is taken or refused, and the rollout stands as the last that was taken says."""
    nodes = crowd(pair)
    policy = pair.one.policy("LATEST", rollout={"waves": [{"percent": 100}]})
    for node in nodes:
        node.link(policy)

    def found() -> list[str]:
        listed = pair.one.get("compute/rollouts?pageSize=100")["rollouts"]
        return [one["resourceId"] for one in listed if one["policy"]["resourceId"] == policy]

    wait_until(lambda: len(found()) == 1, "the rollout has begun")
    path = f"compute/rollouts/{found()[0]}"
    taken: Counter[str] = Counter()

    def steer(orchestrator: Orchestrator, wish: str) -> None:
        session = orchestrator.new_session()
        for _ in range(8):
            response = orchestrator.rest("POST", f"{path}:{wish}", session=session)
            assert response.status_code in {200, 400, 409}, response.text
            taken[wish] += response.status_code == 200

    servers = itertools.cycle((pair.one, pair.other))
    together(*(partial(steer, next(servers), wish) for wish in ("pause", "resume") * 3))
    state = pair.one.get(path)["state"]
    assert state == pair.other.get(path)["state"]
    paused = taken["pause"] - taken["resume"]
    assert paused in {0, 1}
    assert state == f"ROLLOUT_STATE_{'PAUSED' if paused else 'RUNNING'}"


def test_two_that_look_for_releases_at_once_make_each_resource_once(
    pair: Pair, tmp_path: Path
) -> None:
    published = Published(tmp_path / "release")
    for version in ("1.0", "2.0", "3.0"):
        published.add(tmp_path.name, version)
    published.publish()
    command = [sys.executable, "-W", "error", "-m", "orchestrator_stub", "refresh"]
    command += ["--release-dir", str(published.folder), "--release-root", str(published.root_json)]

    def refresh(orchestrator: Orchestrator) -> None:
        where = ["--data-dir", str(orchestrator.directory.path)]
        done = subprocess.run([*command, *where], capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr

    together(*(partial(refresh, each) for each in (pair.one, pair.other) * 2))
    with pair.one.database.reading() as session:
        mine = select(OSResource.image_id).where(OSResource.profile_name == tmp_path.name)
        assert sorted(session.scalars(mine)) == ["1.0", "2.0", "3.0"]
