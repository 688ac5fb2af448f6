# SPDX-License-Identifier: Apache-2.0
"""Server: the demo's orchestrator, over TLS, with a data directory that can be saved and copied."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.demo.layout import Layout
from tests.demo.orchestrator import Enrolled, Orchestrator
from tests.vm.harness.machine import ADDRESS
from tests.vm.image.tree import PROFILE

_SAVED = ("orchestrator", "server.json")


class Server(Orchestrator):
    """The orchestrator of one machine; everything that it knows lies in its layout's run folder."""

    profile = PROFILE
    names = ("127.0.0.1", ADDRESS)

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._run_folder = layout.run

    @property
    def port(self) -> int:
        """Its port on the host's loopback."""
        return self._port

    def found(self, guid: str, image_id: str) -> str:
        """Make data directory and certificate, and enrol the node: its token."""
        self._run_folder.mkdir(parents=True, exist_ok=True)
        self.init()
        token = self.enrol(guid, image_id)
        self._write_facts()
        return token

    def adopt(self, folder: Path) -> None:
        """Go on with what another server has saved."""
        self._run_folder.mkdir(parents=True, exist_ok=True)
        for name in _SAVED:
            source, target = folder / name, self._run_folder / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        facts = json.loads((self._run_folder / "server.json").read_text(encoding="utf-8"))
        self._enrolled = Enrolled(**facts["enrolled"])
        self._planned = facts["planned"]
        self.log_in()

    def save(self, folder: Path) -> None:
        """Save what a stopped server knows."""
        self._write_facts()
        for name in _SAVED:
            source, target = self._run_folder / name, folder / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)

    # ---- an operator ----

    def plan_window(self, in_s: float, for_s: int) -> str:
        """Make a single schedule of type OS update: its resource id."""
        start = int(time.time() + in_s)
        body = {
            "name": f"window {start}",
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "startSeconds": start,
            "endSeconds": start + for_s,
            "targetHostId": self._host.host_id,
        }
        made = self._call("POST", "compute/schedules/single", body)
        return str(made.get("singleScheduleID") or made["resourceId"])

    def open_always(self) -> None:
        """Make a repeated schedule of type OS update that is open at whatever time a clock says."""
        fields = ("cronMinutes", "cronHours", "cronDayMonth", "cronMonth", "cronDayWeek")
        body = {
            "name": "always",
            "scheduleStatus": "SCHEDULE_STATUS_OS_UPDATE",
            "durationSeconds": 3600,
            "targetHostId": self._host.host_id,
            **dict.fromkeys(fields, "*"),
        }
        self._call("POST", "compute/schedules/repeated", body)

    def failure(self, version: str) -> dict[str, str]:
        """The last entry of the update log of the newest run, when it is of that version."""
        cause = self.last_cause()
        return cause if cause.get("version") == version else {}

    def command(self, verb: str) -> dict[str, Any]:
        """Give the node an operator's command from the server."""
        return self._call("POST", f"compute/instances/{self._host.instance_id}:{verb}")

    def _write_facts(self) -> None:
        assert self._enrolled is not None
        facts = {"enrolled": asdict(self._enrolled), "planned": self._planned}
        text = json.dumps(facts)
        (self._run_folder / "server.json").write_text(text, encoding="utf-8")
