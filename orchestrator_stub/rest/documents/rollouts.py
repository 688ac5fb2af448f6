# SPDX-License-Identifier: Apache-2.0
"""Rollouts as documents."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator_stub.records import Rollout
from orchestrator_stub.rest.documents.base import (
    Document,
    Maybe,
    Reference,
    Timestamps,
    timestamps,
)
from orchestrator_stub.rest.documents.operating_systems import (
    OperatingSystemSummary,
    short_operating_system,
)
from orchestrator_stub.rollouts.progress import WaveProgress
from orchestrator_stub.vocabulary import RolloutState


class RolloutWave(Document):
    """How the hosts of one wave fare; each is counted once."""

    number: int
    waiting: int
    offered: int
    updating: int
    updated: int
    failed: int


class RolloutResource(Document):
    """One image on its way through the waves of a policy; waves count from 0."""

    resource_id: str
    state: RolloutState
    reason: str
    wave: int
    wave_start_time: int
    wave_done_time: Maybe[int] = None
    end_time: Maybe[int] = None
    waves: list[RolloutWave]
    policy: Reference
    os: OperatingSystemSummary
    timestamps: Timestamps


def rollout(row: Rollout, waves: Iterable[WaveProgress]) -> RolloutResource:
    """A rollout and how it gets on."""
    return RolloutResource(
        resource_id=row.id,
        state=row.state,
        reason=row.reason,
        wave=row.wave,
        wave_start_time=row.wave_start_s,
        wave_done_time=row.wave_done_s or None,
        end_time=row.end_s or None,
        waves=[_wave(wave) for wave in waves],
        policy=Reference(resource_id=row.policy.id, name=row.policy.name),
        os=short_operating_system(row.os),
        timestamps=timestamps(row),
    )


def _wave(progress: WaveProgress) -> RolloutWave:
    return RolloutWave(
        number=progress.number,
        waiting=progress.waiting,
        offered=progress.offered,
        updating=progress.updating,
        updated=progress.updated,
        failed=progress.failed,
    )
