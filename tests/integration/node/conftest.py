# SPDX-License-Identifier: Apache-2.0
"""One release service and orchestrator for all tests here, and a fresh node for each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.node.rig import PROFILE, Releases, Rig, make_image
from tests.integration.orchestrator_stub.running import Orchestrator, new_directory, serving


@dataclass
class Fleet:
    """What the nodes share: images, releases, the orchestrator."""

    folder: Path
    releases: Releases
    orchestrator: Orchestrator
    images: dict[str, Path]

    def latest(self) -> str:
        """A policy LATEST."""
        return self.orchestrator.policy("LATEST")

    def target(self, version: str) -> str:
        """A policy TARGET for a version."""
        return self.orchestrator.policy(
            "TARGET", targetOsId=self.orchestrator.os_id(PROFILE, version)
        )

    def refresh(self) -> None:
        """The OS resource manager looks now."""
        path = "compute/operating_systems:refresh"
        response = self.orchestrator.rest("POST", path, {})
        assert response.status_code == 200, response.text


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
    options = ("--release-dir", str(releases.folder), "--release-root", str(trust))
    with serving(new_directory(folder / "data"), *options) as orchestrator:
        fleet = Fleet(folder, releases, orchestrator, images)
        fleet.refresh()
        yield fleet


@pytest.fixture
def make_rig(fleet: Fleet, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Make a node that runs 1.0, switched off."""
    made: list[Rig] = []

    def make(*, release_url: str = "", **changes: str) -> Rig:
        folder = tmp_path / f"node{len(made)}"
        folder.mkdir()
        node = fleet.orchestrator.enrol(PROFILE, "1.0")
        url = release_url or f"{fleet.orchestrator.url}release"
        rig = Rig(folder, node, fleet.orchestrator, fleet.releases, url)
        rig.provision(fleet.images["1.0"], **changes)
        made.append(rig)
        return rig

    yield make
    for rig in made:
        rig.cut_power()
        shutil.rmtree(rig.folder)


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """A node that runs 1.0, switched off."""
    return make_rig()


@pytest.fixture
def window(fleet: Fleet) -> Callable[[Rig, int, int], None]:
    """Give a node a window that opens after some seconds and stays open for some."""

    def open_window(rig: Rig, in_s: int = 2, for_s: int = 3600) -> None:
        start = int(time.time()) + in_s
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
