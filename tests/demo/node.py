# SPDX-License-Identifier: Apache-2.0
"""Node: one simulated machine, with its disk, its persistent partition and its power button.

What it runs is in its slots; this module only provisions it once, as a factory does, and then
switches it on and off. Whoever works on the node, a person at the console or an intruder, comes in
through its namespaces.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.demo.layout import REPOSITORY, Layout
from tests.demo.narration import Narration
from tests.demo.roots import PUAD_UID
from tests.demo.slots import SLOTS, Disk
from tests.demo.tool import run_tool
from tests.demo.waiting import wait_for

SLOT_BYTES: Final = 256 << 20
REBOOT: Final = 3
_STOP_S: Final = 20
_CODE: Final = [
    "env",
    "-C",
    "/",
    "PYTHONPATH=/usr/share/puad",
    "LC_ALL=C.UTF-8",
    "PATH=/usr/sbin:/usr/bin",
]
_AS_PUAD: Final = [
    "setpriv",
    "--reuid=puad",
    "--regid=puad",
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
]


@dataclass(frozen=True, slots=True)
class Addresses:
    """What is written into the node when it is provisioned."""

    server_url: str
    release_url: str
    token: str
    guid: str


class Node:
    """The simulated machine."""

    def __init__(self, layout: Layout, narration: Narration) -> None:
        self.layout = layout
        self.disk = Disk(layout.disk)
        self.guid = str(uuid.uuid4())
        self.boots = 0
        self._narration = narration
        self._config = layout.run / "node/machine.toml"
        self._machine: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._wanted_on = False

    # ---- the factory ----

    def provision(self, image: Path, kernel: Path, addresses: Addresses, *, counting: bool) -> None:
        """Put an image into slot a, make it the good one, and hand over addresses and token."""
        for slot in SLOTS:
            with self.disk.slot_file(slot).open("wb") as file:
                file.truncate(SLOT_BYTES)
        self.fill_slot("a", image)
        self.layout.disk.chmod(0o700)
        (self.layout.disk / "host-uuid").write_text(f"{self.guid}\n", encoding="ascii")
        boot_files = self.layout.disk / "firmware.d/a"
        boot_files.mkdir(parents=True)
        shutil.copyfile(kernel, boot_files / "linux")
        self._config.write_text(
            f'disk = "{self.layout.disk}"\npersist = "{self.layout.persist}"\n', encoding="utf-8"
        )
        init: list[str | Path] = ["firmware", "init", "--config", self._config, "--slot", "a"]
        no_counting = [] if counting else ["--no-counting"]
        run_tool(
            [sys.executable, "-m", "bootloader", *init, *no_counting],
            self.layout.logs / "machine.log",
        )
        self._write_persist(addresses)

    def fill_slot(self, slot: str, image: Path) -> None:
        """Put an image into a slot, past everything that guards it."""
        with image.open("rb") as source, self.disk.slot_file(slot).open("r+b") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def _write_persist(self, addresses: Addresses) -> None:
        own = self.layout.persist / "puad"
        (own / "node.d").mkdir(parents=True)
        (own / "node.d/10-addresses.toml").write_text(
            f'[server]\nurl = "{addresses.server_url}"\n\n'
            f'[release]\nurl = "{addresses.release_url}"\n',
            encoding="utf-8",
        )
        (own / "token").write_text(addresses.token + "\n", encoding="ascii")
        (own / "token").chmod(0o600)
        for path in (own, *own.rglob("*")):
            os.chown(path, PUAD_UID, PUAD_UID)

    # ---- the power button ----

    def power_on(self) -> None:
        """Switch the machine on; it boots again whenever it asks for a reboot."""
        self._wanted_on = True
        self._thread = threading.Thread(target=self._keep_on, daemon=True)
        self._thread.start()

    def cut_power(self) -> None:
        """Switch the machine off, without notice."""
        self._wanted_on = False
        machine, thread = self._machine, self._thread
        if machine is not None:
            with contextlib.suppress(ProcessLookupError):
                machine.kill()
        if thread is not None:
            thread.join(_STOP_S)
        self._machine = self._thread = None

    def _keep_on(self) -> None:
        log = self.layout.logs / "machine.log"
        command = [sys.executable, "-m", "bootloader", "boot", "--config", str(self._config)]
        while self._wanted_on:
            self.boots += 1
            with log.open("a", encoding="utf-8") as output:
                self._machine = subprocess.Popen(
                    command,
                    cwd=REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                assert self._machine.stderr is not None
                with self._machine.stderr as lines:
                    for line in lines:
                        output.write(line)
                        output.flush()
                        if line.startswith("machine: "):
                            self._narration.say(f"  node: {line[9:].rstrip()}")
                code = self._machine.wait()
            if code != REBOOT:
                return

    # ---- whoever works on the node ----

    def init_pid(self) -> int | None:
        """Process 1 of the running node, as the host numbers it; None when it is not up."""
        machine = self._machine
        if machine is None:
            return None
        pids = [machine.pid]
        while pids:
            pid = pids.pop()
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                numbers = next(row for row in status.splitlines() if row.startswith("NSpid:"))
                if len(numbers.split()) > 2 and numbers.split()[-1] == "1":
                    return pid
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
                pids += map(int, children.split())
        return None

    def run(
        self, command: Sequence[str], *, as_puad: bool = False, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the node, as root at its console or as user puad."""
        pid = wait_for("the node to be up", self.init_pid, 60)
        enter = ["nsenter", "--target", str(pid), "--mount", "--pid", "--root"]
        user = _AS_PUAD if as_puad else []
        return subprocess.run(
            [*enter, *_CODE, *user, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def puadctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run puadctl as root at the node's console."""
        return self.run(["python3", "-m", "puad.cli", *words])

    def agent_pid(self) -> int | None:
        """The daemon's process, as the host numbers it; None when it is not running."""
        init = self.init_pid()
        if init is None:
            return None
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{init}/task/{init}/children").read_text(encoding="ascii")
            for pid in map(int, children.split()):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[:3] == [b"/usr/bin/python3", b"-m", b"puad"]:
                    return pid
        return None

    def kill_agent(self) -> None:
        """SIGKILL to the daemon."""
        os.kill(wait_for("puad to run", self.agent_pid, 30), signal.SIGKILL)

    def booted_slot(self) -> str:
        """The slot whose file is mounted as the node's root; empty when the node is off."""
        pid = self.init_pid()
        if pid is None:
            return ""
        with contextlib.suppress(OSError, StopIteration):
            mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8").splitlines()
            device = next(row.split()[2] for row in mounts if row.split()[4] == "/")
            backing = Path(f"/sys/dev/block/{device}/loop/backing_file")
            file = backing.read_text(encoding="utf-8").strip()
            # the mount belongs to the node, so the path begins at the root of its file system
            return next(
                slot for slot in SLOTS if file and str(self.disk.slot_file(slot)).endswith(file)
            )
        return ""
