# SPDX-License-Identifier: Apache-2.0
"""The stage of a trial: an orchestrator with hosts of one profile at one site, all in a window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select

from orchestrator_stub.records import Instance, Policy
from orchestrator_stub.web.linking import link_many
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.characters import Characters
from tests.simulator.connection import Origin
from tests.simulator.enrolments import Enrolled, candidates, enrol_many
from tests.simulator.fleet import Fleet, make_node
from tests.simulator.pace import Pace

PROFILE: Final = "edge"
FIRST: Final = "1.0"
_OPENS_IN_S: Final = 2
_OPEN_FOR_S: Final = 12 * 3600


@dataclass(frozen=True, slots=True)
class Stage:
    """Hosts that are enrolled, and what they can be offered."""

    orchestrator: Orchestrator
    hosts: Sequence[Enrolled]

    def fleet(self, pace: Pace, characters: Characters) -> Fleet:
        """Their nodes, switched off."""
        verify = self.orchestrator.session.verify
        ca_file = Path(verify) if isinstance(verify, str) else None
        origin = Origin.of(self.orchestrator.url, ca_file)
        return Fleet([make_node(host.identity, origin, pace, characters) for host in self.hosts])

    def target(self, image_id: str, **fields: object) -> str:
        """Make a policy TARGET: its id."""
        os_id = self.orchestrator.os_id(PROFILE, image_id)
        return self.orchestrator.policy("TARGET", targetOsId=os_id, **fields)

    def link(self, policy_id: str, hosts: Sequence[Enrolled]) -> None:
        """Link a policy to hosts, as an operator does from the page, many at once."""
        ids = {host.instance_id for host in hosts}
        mine = select(Instance.id)
        with self.orchestrator.database.writing() as session:
            policy = session.get_one(Policy, policy_id)
            everybody = len(ids) == len(self.hosts)
            chosen = mine if everybody else mine.where(Instance.id.in_(ids))
            linked = link_many(session, policy, chosen)
        assert linked.changed == len(ids), linked


def set_stage(orchestrator: Orchestrator, count: int, *image_ids: str) -> Stage:
    """Publish images, enrol hosts that run the first one, and open their window.

    Args:
        orchestrator: A fresh one.
        count: How many hosts.
        image_ids: What is published beside the first image.
    """
    orchestrator.publish(PROFILE, FIRST, *image_ids)
    site = orchestrator.create("compute/sites", {"name": "everywhere"})["resourceId"]
    hosts = enrol_many(orchestrator.directory, candidates(count, PROFILE, FIRST), site)
    opens_s = int(time.time()) + _OPENS_IN_S
    schedule = {
        "name": "now",
        "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
        "targetSiteId": site,
        "startSeconds": opens_s,
        "endSeconds": opens_s + _OPEN_FOR_S,
    }
    orchestrator.create("compute/schedules/single", schedule)
    return Stage(orchestrator, hosts)
