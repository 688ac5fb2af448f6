# SPDX-License-Identifier: Apache-2.0
"""One staged fleet for each test, on a fresh database."""

from __future__ import annotations

import pytest

from orchestrator_stub.database import Database
from orchestrator_stub.rollouts import ledger
from tests.unit.orchestrator_stub.maintenance.fleet import START_S
from tests.unit.orchestrator_stub.rollouts.staged import StagedFleet, new_staged_fleet


@pytest.fixture
def fleet(database: Database, monkeypatch: pytest.MonkeyPatch) -> StagedFleet:
    """Versions 1.0 and 2.0 are published; the server runs for long enough to know silence."""
    monkeypatch.setattr(ledger, "_STARTED_S", START_S - 100_000)
    return new_staged_fleet(database)
