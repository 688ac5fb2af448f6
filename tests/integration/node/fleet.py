# SPDX-License-Identifier: Apache-2.0
"""What nodes share: images, a release service, an orchestrator that serves both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.node.rig import PROFILE, SLOT_BYTES, Releases, Rig
from tests.integration.orchestrator_stub.running import Orchestrator, new_directory, serving


@dataclass
class Fleet:
    """Images, releases, the orchestrator."""

    folder: Path
    releases: Releases
    orchestrator: Orchestrator
    images: dict[str, Path]
    slot_bytes: int = SLOT_BYTES

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

    def node(self, folder: Path, release_url: str = "", **changes: str) -> Rig:
        """A fresh node that runs 1.0, switched off."""
        folder.mkdir()
        enrolled = self.orchestrator.enrol(PROFILE, "1.0")
        url = release_url or f"{self.orchestrator.url}release"
        rig = Rig(
            folder, enrolled, self.orchestrator, self.releases, url, slot_bytes=self.slot_bytes
        )
        rig.provision(self.images["1.0"], **changes)
        return rig


@contextmanager
def running_fleet(folder: Path, releases: Releases, images: dict[str, Path]) -> Iterator[Fleet]:
    """An orchestrator over releases that are published."""
    options = ("--release-dir", str(releases.folder))
    trust = ("--release-root", str(releases.root_of_trust))
    with serving(new_directory(folder / "data"), *options, *trust) as orchestrator:
        fleet = Fleet(folder, releases, orchestrator, images)
        fleet.refresh()
        yield fleet
