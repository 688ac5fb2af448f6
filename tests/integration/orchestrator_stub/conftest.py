# SPDX-License-Identifier: Apache-2.0
"""A real orchestrator on the loopback address for every test of this folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_stub.data_directory import DataDirectory
from tests.integration.orchestrator_stub.running import Node, Orchestrator, new_directory, serving

# The browser is a package of 300 MB: `.ci/setup` brings it, and these tests run, only when asked.
if os.environ.get("PUAD_SETUP_BROWSER") != "1":
    collect_ignore = ["test_page_in_browser.py"]


@pytest.fixture(scope="session")
def orchestrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    """One running orchestrator for all tests: each works on hosts and profiles of its own."""
    with serving(new_directory(tmp_path_factory.mktemp("orchestrator") / "data")) as running:
        yield running


@pytest.fixture
def node(orchestrator: Orchestrator) -> Node:
    """A fresh host of a profile of its own, running image 1.0, which is an OS resource."""
    profile = f"edge-{uuid.uuid4().hex[:8]}"
    orchestrator.publish(profile, "1.0")
    return orchestrator.enrol(profile)


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """A fresh data directory."""
    return new_directory(tmp_path / "data")
