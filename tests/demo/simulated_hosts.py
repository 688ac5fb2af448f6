# SPDX-License-Identifier: Apache-2.0
"""Simulated hosts: twenty beside the real one, so that the pages look as an operator knows them.

They run two OS profiles of their own, whose images nobody downloads: the nodes are those of
`tests.simulator`, with `puad.core` in them, and speak to the real server. What the lists show of
them is what they report. One report alone is older than the demo: that of the host which has not
been seen for hours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.commands.command import open_database, project_named
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.maintenance.manager import answer
from orchestrator_stub.maintenance.poll import Poll
from puad.core.wire import StatusReport, StatusType
from tests.demo.layout import REPOSITORY, Layout
from tests.demo.left_up import remember
from tests.demo.orchestrator import Orchestrator
from tests.demo.releases import ReleaseService
from tests.demo.simulated_fleet import (
    AUGSBURG,
    BAD,
    BERLIN,
    BROKEN,
    HOLD,
    HOSTS,
    HOUR_S,
    MUNICH,
    NEWEST,
    OSLO,
    REGIONS,
    SITES,
    TILL,
    VERSIONS,
    SimulatedHost,
    missing,
)
from tests.demo.waiting import wait_for
from tests.simulator.characters import Character
from tests.simulator.enrolments import Enrolled, enrol_many
from tests.simulator.roll import Part, Roll

_IMAGE_BYTES: Final = 64 << 10
_PATIENCE_S: Final = 300
_POLL_S: Final = 5.0


class SimulatedHosts:
    """The simulated part of a demo's fleet.

    Args:
        layout: Where the demo keeps its things.
        server: The running server.
        release: The release service that it reads.
    """

    def __init__(self, layout: Layout, server: Orchestrator, release: ReleaseService) -> None:
        self._layout = layout
        self._server = server
        self._release = release

    def make(self) -> None:
        """Publish their images, make places, policies and windows, and enrol them."""
        self._publish()
        sites = self._make_places()
        self._make_windows(sites)
        policies = self._make_policies()
        parts = []
        for host in HOSTS:
            enrolled = self._enrol(host, sites[host.site])
            if host.policy:
                link = {"osUpdatePolicyID": policies[host.policy]}
                self._server.call("PATCH", f"compute/instances/{enrolled.instance_id}", link)
            if host.silent_for_s:
                self._report_then(enrolled, host.silent_for_s)
            else:
                parts.append(_part(host, enrolled))
        self._server.stand_at(sites[MUNICH])
        flaws = {BAD: Character.UNHEALTHY}
        ca_file = str(self._server.ca_file) if self._server.names else ""
        Roll(f"{self._server.url}/", ca_file, tuple(parts), flaws).write(self._roll)

    def start(self) -> subprocess.Popen[bytes]:
        """Let them live in a process of their own that goes on after this one."""
        command = [sys.executable, "-m", "tests.simulator", str(self._roll)]
        with (self._layout.logs / "simulator.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        remember(self._layout.run, "simulator", process.pid)
        return process

    def wait_until_lively(self) -> None:
        """Wait until each shows what it is to show.

        Raises:
            NotSeenError: When that takes too long.
        """
        wait_for("the simulated hosts to report", self._are_lively, _PATIENCE_S, every_s=1)

    @property
    def _roll(self) -> Path:
        return self._layout.run / "simulated-hosts.json"

    def _are_lively(self) -> bool:
        answer = self._server.call("GET", "compute/hosts?pageSize=100")
        return not (missing(answer["hosts"]))

    # ---- what an operator and a publisher do ----

    def _publish(self) -> None:
        kernel = self._layout.run / "simulated-kernel"
        kernel.write_bytes(os.urandom(_IMAGE_BYTES))
        for profile, versions in VERSIONS.items():
            release = replace(self._release, profile=profile)
            for version in versions:
                image = self._layout.run / f"{profile}-{version}.raw"
                image.write_bytes(os.urandom(_IMAGE_BYTES))
                release.add(version, image, kernel)
                image.unlink()
        kernel.unlink()
        self._release.publish()
        self._server.find_releases()

    def _make_places(self) -> dict[str, str]:
        regions: dict[str, str] = {}
        for name, around in REGIONS.items():
            inside = {"parentId": regions[around]} if around else {}
            regions[name] = self._create("compute/regions", {"name": name, **inside})
        return {
            name: self._create("compute/sites", {"name": name, "regionId": regions[region]})
            for name, region in SITES.items()
        }

    def _make_policies(self) -> dict[str, str]:
        target = "UPDATE_POLICY_TARGET"
        bodies: dict[str, dict[str, str]] = {
            NEWEST: {"updatePolicy": "UPDATE_POLICY_LATEST"},
            HOLD: {"updatePolicy": target, "targetOsId": self._os_id("4.1")},
            BROKEN: {"updatePolicy": target, "targetOsId": self._os_id(BAD)},
        }
        path = "os_update_policy"
        return {name: self._create(path, {"name": name, **body}) for name, body in bodies.items()}

    def _make_windows(self, sites: dict[str, str]) -> None:
        now_s = int(time.time())
        for name, status, site, hours in (
            ("this afternoon", "OS_UPDATE", MUNICH, 4),
            ("stocktaking", "MAINTENANCE", AUGSBURG, 3),
        ):
            body = {
                "startSeconds": now_s + 2,
                "endSeconds": now_s + 2 + hours * HOUR_S,
                **_window(name, status, sites[site]),
            }
            self._create("compute/schedules/single", body)
        for name, site, days in (("nightly", OSLO, "*"), ("weekend", BERLIN, "0,6")):
            body = {
                "durationSeconds": 2 * HOUR_S,
                "cronMinutes": "30",
                "cronHours": str((now_s // HOUR_S + 10) % 24),
                "cronDayMonth": "*",
                "cronMonth": "*",
                "cronDayWeek": days,
                **_window(name, "OS_UPDATE", sites[site]),
            }
            self._create("compute/schedules/repeated", body)

    def _create(self, path: str, body: dict[str, Any]) -> str:
        return str(self._server.call("POST", path, body)["resourceId"])

    def _os_id(self, image_id: str) -> str:
        known = self._server.call("GET", "compute/operating_systems?pageSize=100")
        found = known["OperatingSystemResources"]
        (os_id,) = (
            one["resourceId"]
            for one in found
            if (one["profileName"], one["imageId"]) == (TILL, image_id)
        )
        return str(os_id)

    def _enrol(self, host: SimulatedHost, site_id: str) -> Enrolled:
        candidate = Candidate(host.name, str(uuid.uuid4()), host.profile, host.image_id)
        (enrolled,) = enrol_many(self._server.directory, [candidate], site_id)
        return enrolled

    def _report_then(self, enrolled: Enrolled, ago_s: int) -> None:
        """Report for a host as its node did when it was last seen."""
        identity, then_s = enrolled.identity, int(time.time()) - ago_s
        report = StatusReport(
            StatusType.UP_TO_DATE,
            profile_name=identity.profile,
            os_image_id=identity.image_id,
            quarantine=(),
        )
        with open_database(self._server.directory) as database:
            with database.reading() as session:
                project_uuid = project_named(session, "").uuid
            node = NodeIdentity(identity.guid, project_uuid, issued_s=int(time.time()))
            answer(database, Poll(node, identity.guid, report, then_s))


def _part(host: SimulatedHost, enrolled: Enrolled) -> Part:
    cut_off = host.is_cut_off
    return Part(
        enrolled.identity,
        poll_s=_POLL_S,
        download_s=host.download_s,
        lost=1.0 if cut_off else 0.0,
        attempts=1 if cut_off else 8,
        download_window_s=6 * HOUR_S,
    )


def _window(name: str, status: str, site_id: str) -> dict[str, str]:
    return {
        "name": name,
        "scheduleStatus": f"SCHEDULE_STATUS_{status}",
        "targetSiteId": site_id,
    }
