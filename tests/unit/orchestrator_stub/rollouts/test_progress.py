# SPDX-License-Identifier: Apache-2.0
"""The counts of each wave."""

from __future__ import annotations

from orchestrator_stub.rollouts.progress import WaveProgress, progress
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet


def test_every_instance_is_counted_once_by_one_query(fleet: StagedFleet) -> None:
    edges = fleet.enrolled(10, fleet.staged(50, 80))
    fleet.sweep()
    updated, failed, started, downloading, _ = fleet.of_wave(edges, 0)
    fleet.update(updated)
    fleet.fail(failed)
    fleet.poll(started, "DOWNLOADING")
    fleet.poll(started, "STARTED")
    fleet.poll(downloading, "DOWNLOADING")
    rollout_id = fleet.rollout().id
    with fleet.queries() as queries, fleet.database.reading() as session:
        found = progress(session, [rollout_id, "rollout-none"])
    assert len([query for query in queries if "rollout_member" in query]) == 1
    assert found[rollout_id] == (
        WaveProgress(0, offered=2, updating=1, updated=1, failed=1),
        WaveProgress(1, waiting=3),
        WaveProgress(2, waiting=2),
    )
    assert [wave.hosts for wave in found[rollout_id]] == [5, 3, 2]
    assert found["rollout-none"] == ()
