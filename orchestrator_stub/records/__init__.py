# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's records: what it knows of hosts, images, policies, windows and runs."""

from orchestrator_stub.records.access import ApiToken, Membership, Operator, OperatorSession
from orchestrator_stub.records.base import IMAGE_ID_CHARS, Base
from orchestrator_stub.records.host import Host, Instance
from orchestrator_stub.records.location import Region, Site
from orchestrator_stub.records.os_resource import OSResource
from orchestrator_stub.records.policy import Policy
from orchestrator_stub.records.project import Project, lock_project
from orchestrator_stub.records.revision import raise_revision
from orchestrator_stub.records.rollout import Rollout, RolloutMember
from orchestrator_stub.records.schedule import RepeatedSchedule, SingleSchedule
from orchestrator_stub.records.update_run import OPEN_END_S, UpdateRun

__all__ = [
    "IMAGE_ID_CHARS",
    "OPEN_END_S",
    "ApiToken",
    "Base",
    "Host",
    "Instance",
    "Membership",
    "OSResource",
    "Operator",
    "OperatorSession",
    "Policy",
    "Project",
    "Region",
    "RepeatedSchedule",
    "Rollout",
    "RolloutMember",
    "SingleSchedule",
    "Site",
    "UpdateRun",
    "lock_project",
    "raise_revision",
]
