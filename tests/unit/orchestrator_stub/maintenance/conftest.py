# SPDX-License-Identifier: Apache-2.0
"""One fleet for each test, on a fresh database."""

from __future__ import annotations

import pytest

from orchestrator_stub.database import Database
from tests.unit.orchestrator_stub.maintenance.fleet import Edge, Fleet, new_fleet


@pytest.fixture
def fleet(database: Database) -> Fleet:
    """Versions 1.0 and 2.0 are published."""
    made = new_fleet(database)
    made.publish("1.0", "2.0")
    return made


@pytest.fixture
def edge(fleet: Fleet) -> Edge:
    """A host that runs 1.0."""
    return fleet.enrol()
