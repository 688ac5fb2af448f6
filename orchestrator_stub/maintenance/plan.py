# SPDX-License-Identifier: Apache-2.0
"""What a node is told to install, and when: its policy, rollout and schedules, resolved.

Rules (protocol.md §1, §3a, "Decided"):

1. No policy: no offer. TARGET: its OS resource, even when the node runs it already. LATEST: the
   newest of the profile, but never one that is older than what the node runs.
2. A withdrawn OS resource is offered to nobody, and no mutable one is.
3. A rollout may keep the image back (no offer) or hold it (no window is told, so that it can be
   downloaded and not booted).
4. Only schedules of status OS_UPDATE count, those of the host, its site and the regions around it.
   All repeated ones are sent; of the single ones that are not over, the one whose start is closest
   to now. Which one that is changes with the time alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session, lazyload

from orchestrator_stub.os_resources import Image, OSResources, may_be_offered
from orchestrator_stub.records import Host, Instance, OSResource
from orchestrator_stub.rollouts.gate import Gate, gate
from orchestrator_stub.schedules.timetable import Timetable
from orchestrator_stub.vocabulary import PolicyKind
from puad.core.model import Offer, RepeatedSchedule, Schedules, SingleSchedule
from puad.core.version import compare_versions
from puad.core.wire import MAX_SCHEDULES


@dataclass(frozen=True, slots=True)
class Assignment:
    """The image that an instance's policy wants on it, and how far its rollout lets it go."""

    wanted: Image | None = None
    gate: Gate = Gate.OPEN

    @property
    def offered(self) -> Image | None:
        """The image that the node is told of."""
        return None if self.gate is Gate.CLOSED else self.wanted

    @property
    def offer(self) -> Offer | None:
        """The offer as the node gets it."""
        image = self.offered
        if image is None:
            return None
        return Offer(
            url=image.image_url,
            image_id=image.image_id,
            file_hash=image.file_hash,
            profile_name=image.profile_name,
            profile_version=image.profile_version,
        )


@dataclass(frozen=True, slots=True)
class Openings:
    """Every schedule that may open an update window of a host, for as long as none is edited."""

    single: tuple[SingleSchedule, ...] = ()
    repeated: tuple[RepeatedSchedule, ...] = ()

    def told_at(self, now_s: int) -> Schedules:
        """What the node is told of them at a time."""
        return Schedules(single=closest(self.single, now_s), repeated=self.repeated)


def wanted_os(instance: Instance, resources: OSResources) -> Image | None:
    """The OS resource that an instance's policy wants on it now."""
    policy = instance.policy
    if policy is None:
        return None
    if policy.kind is PolicyKind.TARGET:
        target = resources.with_id(policy.target_os_id)
        return target if target and may_be_offered(target) else None
    newest = resources.newest(instance.profile_name)
    if newest is None or compare_versions(newest.image_id, instance.image_id) < 0:
        return None
    return newest


def assign(session: Session, instance: Instance, resources: OSResources, now_s: int) -> Assignment:
    """The image that an instance's policy wants on it now, as far as its rollout lets it go."""
    wanted = wanted_os(instance, resources)
    staged = instance.policy is not None and bool(instance.policy.rollout)
    if wanted is None or not staged or wanted.image_id == instance.image_id:
        return Assignment(wanted)
    resource = session.get_one(OSResource, wanted.id, options=[lazyload("*")])
    return Assignment(wanted, gate(session, instance, resource, now_s))


def openings(timetable: Timetable, host: Host, assignment: Assignment, now_s: int) -> Openings:
    """The schedules that may open an update window of a host now or later."""
    if assignment.gate is Gate.HELD:
        return Openings()
    single = timetable.single(host.id, host.site_id)
    repeated = timetable.repeated(host.id, host.site_id)
    left = tuple(one for one in single if _is_left(one.end_s, now_s))
    return Openings(left, repeated[:MAX_SCHEDULES])


def closest(singles: Iterable[SingleSchedule], now_s: int) -> SingleSchedule | None:
    """Of the single schedules that are not over, the one that starts closest to now."""
    left = [single for single in singles if _is_left(single.end_s, now_s)]
    return min(left, key=lambda single: (abs(now_s - single.start_s), single.start_s), default=None)


def _is_left(end_s: int, now_s: int) -> bool:
    return end_s == 0 or now_s < end_s
