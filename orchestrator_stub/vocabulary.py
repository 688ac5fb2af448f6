# SPDX-License-Identifier: Apache-2.0
"""The words of the orchestrator's records, spelt as its REST API spells them (protocol.md §3b, §5).

What the maintenance protocol itself says (status types, OS types) stands in `puad.core.wire`.
"""

from __future__ import annotations

from enum import StrEnum


class Indication(StrEnum):
    """What a status means at a glance."""

    UNSPECIFIED = "STATUS_INDICATION_UNSPECIFIED"
    ERROR = "STATUS_INDICATION_ERROR"
    IN_PROGRESS = "STATUS_INDICATION_IN_PROGRESS"
    IDLE = "STATUS_INDICATION_IDLE"


class HostState(StrEnum):
    """Whether a host takes part; a registered one is known, but not trusted yet."""

    REGISTERED = "HOST_STATE_REGISTERED"
    ONBOARDED = "HOST_STATE_ONBOARDED"
    UNTRUSTED = "HOST_STATE_UNTRUSTED"


class InstanceState(StrEnum):
    """Whether an instance has been provisioned."""

    UNSPECIFIED = "INSTANCE_STATE_UNSPECIFIED"
    RUNNING = "INSTANCE_STATE_RUNNING"


class PolicyKind(StrEnum):
    """Which OS resource an OS update policy wants."""

    UNSPECIFIED = "UPDATE_POLICY_UNSPECIFIED"
    LATEST = "UPDATE_POLICY_LATEST"
    TARGET = "UPDATE_POLICY_TARGET"


class ScheduleStatus(StrEnum):
    """What a schedule's windows are for; only OS_UPDATE lets a node update."""

    UNSPECIFIED = "SCHEDULE_STATUS_UNSPECIFIED"
    MAINTENANCE = "SCHEDULE_STATUS_MAINTENANCE"
    OS_UPDATE = "SCHEDULE_STATUS_OS_UPDATE"


class RolloutState(StrEnum):
    """How a rollout stands; a paused one opens no window, a stopped one offers nothing."""

    RUNNING = "ROLLOUT_STATE_RUNNING"
    PAUSED = "ROLLOUT_STATE_PAUSED"
    STOPPED = "ROLLOUT_STATE_STOPPED"
    DONE = "ROLLOUT_STATE_DONE"


class MemberState(StrEnum):
    """How an instance fares in a rollout."""

    WAITING = "MEMBER_STATE_WAITING"
    OFFERED = "MEMBER_STATE_OFFERED"
    UPDATED = "MEMBER_STATE_UPDATED"
    FAILED = "MEMBER_STATE_FAILED"


class Scope(StrEnum):
    """What an operator or an API token may do."""

    READ = "read"
    WRITE = "write"
