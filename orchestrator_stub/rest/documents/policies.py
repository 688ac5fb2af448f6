# SPDX-License-Identifier: Apache-2.0
"""OS update policies as documents."""

from __future__ import annotations

from typing import Any

from orchestrator_stub.records import Policy
from orchestrator_stub.rest.documents.base import Document, Maybe, Timestamps, timestamps
from orchestrator_stub.rest.documents.operating_systems import (
    OperatingSystemSummary,
    short_operating_system,
)
from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import PolicyKind


class OSUpdatePolicy(Document):
    """An OS update policy; `rollout`, ours, is there when it goes in waves."""

    resource_id: str
    name: str
    description: str
    update_policy: PolicyKind
    update_packages: str
    update_sources: list[str]
    update_kernel_command: str
    target_os: Maybe[OperatingSystemSummary] = None
    rollout: Maybe[RolloutRules] = None
    timestamps: Timestamps


def policy(row: Policy) -> OSUpdatePolicy:
    """An OS update policy."""
    return OSUpdatePolicy(
        resource_id=row.id,
        name=row.name,
        description=row.description,
        update_policy=row.kind,
        update_packages=row.update_packages,
        update_sources=row.update_sources,
        update_kernel_command=row.update_kernel_command,
        target_os=short_operating_system(row.target_os) if row.target_os else None,
        rollout=_rules(row.rollout),
        timestamps=timestamps(row),
    )


def _rules(stored: dict[str, Any]) -> RolloutRules | None:
    return RolloutRules.load(stored) if stored else None
