# SPDX-License-Identifier: Apache-2.0
"""A real orchestrator process for simulated nodes, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.orchestrator_stub.running import Orchestrator, new_directory, serving


@pytest.fixture
def orchestrator(tmp_path: Path, database_url: str) -> Iterator[Orchestrator]:
    """A fresh orchestrator; it serves TLS, as nodes have it."""
    directory = new_directory(tmp_path / "data", database_url)
    with serving(directory, verify=str(directory.path / "tls/ca.crt")) as orchestrator:
        yield orchestrator
