# SPDX-License-Identifier: Apache-2.0
"""One release service and orchestrator for all tests here, and a fresh node for each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.node.fleet import Fleet, running_fleet
from tests.integration.node.rig import MakeRig, Releases, Rig, Window, make_image

_ON_ITS_WAY_S = 4  # on a busy host; the server takes no schedule that began in the past


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Releases 2.0 (good) and 3.0 (its required probe fails); nodes are made with 1.0."""
    folder = tmp_path_factory.mktemp("fleet")
    releases = Releases(folder)
    trust = releases.root_of_trust
    images = {
        "1.0": make_image(folder, "1.0", trust),
        "2.0": make_image(folder, "2.0", trust),
        "3.0": make_image(folder, "3.0", trust, probe="echo the till is on fire; exit 3"),
    }
    for version in ("2.0", "3.0"):
        releases.publish(version, images[version])
    with running_fleet(folder, releases, images) as fleet:
        yield fleet


@pytest.fixture
def make_rig(fleet: Fleet, tmp_path: Path) -> Iterator[MakeRig]:
    """Make a node that runs 1.0, switched off."""
    made: list[Rig] = []

    def make(*, release_url: str = "", **changes: str) -> Rig:
        rig = fleet.node(tmp_path / f"node{len(made)}", release_url, **changes)
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.cut_power()
        shutil.rmtree(rig.folder)


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """A node that runs 1.0, switched off."""
    return make_rig()


@pytest.fixture
def window(fleet: Fleet) -> Window:
    """Give a node a window that opens soon after some seconds and stays open for some."""

    def open_window(rig: Rig, in_s: int = 2, for_s: int = 3600) -> None:
        start = int(time.time()) + in_s + _ON_ITS_WAY_S
        fleet.orchestrator.create(
            "compute/schedules/single",
            {
                "name": "window",
                "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
                "startSeconds": start,
                "endSeconds": start + for_s,
                "targetHostId": rig.server.host_id,
            },
        )

    return open_window
