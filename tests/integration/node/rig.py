# SPDX-License-Identifier: Apache-2.0
"""A whole node on this host: real bus, boot control, puad and health process over slot files.

The images are small file systems that hold what puad reads from the booted root: os-release, the
root of trust, probes. A power-on is what the simulated firmware makes of it: it chooses a slot and
counts, the slot is mounted read-only, and the processes start anew in what looks like another boot.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from bootloader.simulation.machine import Machine
from puad.core.run import State
from tests.integration.open_bus import open_bus
from tests.integration.orchestrator_stub.running import Node, Orchestrator

REPOSITORY = Path(__file__).resolve().parents[3]
PROFILE = "edge"
SLOT_BYTES = 16 << 20
PATIENCE_S = 300
KERNEL = b"kernel" * 5000
_STATES = "IDLE|DOWNLOADING|STAGED|ARMED|ASSESSING|DONE|ROLLED_BACK|FAILED"
_STARTED = re.compile(rf" INFO DAEMON_STARTED: .*; ({_STATES})$")
_CHANGED = re.compile(rf" (?:NOTICE|ERROR) ({_STATES}): ")

BOOT_CONTROL = """\
backend = "simulated"
user = "root"
trust_root = "{root}/usr/lib/puad/root.json"
os_release = "{root}/usr/lib/os-release"
state = "{folder}/control"
run = "{run}/control"
reboot_limit_s = 60

[files]
a = "{disk}/a.img"
b = "{disk}/b.img"
root = "{root}"
host_uuid_file = "{folder}/host-uuid"

[simulated]
firmware = "{disk}/firmware"
"""
PUAD = """\
[server]
url = "{server}"
token_file = "{persist}/token"
poll_interval_s = 1
timeout_s = 10
[release]
url = "{release}"
[update]
tries = 2
download_window_s = 0
immediate_download_window_s = 0
min_window_left_s = 1
health_deadline_s = 60
reboot_limit_s = 60
retry_first_s = 1
retry_most_s = {retry_most_s}
synchronised_clock = false
[pace]
busy_write_bytes_s = 0
pause_above_load_percent = 0
[health]
required = ["agent", "disk", "memory", "image"]
wanted = []
agent_stable_s = 1
probe_deadline_s = 20
min_free_disk_mib = 0
[paths]
persist = "{persist}"
verdict = "{folder}/verdict"
trust_root = "{root}/usr/lib/puad/root.json"
os_release = "{root}/usr/lib/os-release"
probes = "{root}/usr/lib/puad/probes.d"
run = "{run}"
pre_reboot = ["{folder}/pre-reboot.d"]
journal = "{folder}/journal"
[limits]
download_attempts = 2
backoff_most_s = 1
min_rate_window_s = 5
dbus_timeout_s = 5
"""


class Releases:
    """The release service: `puad-release` on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.keys = folder / "keys"
        self.run("init")
        self.root_of_trust = self.folder / "metadata" / "1.root.json"

    def run(self, command: str, *options: str | Path, keyed: bool = True) -> dict[str, Any]:
        program = [sys.executable, "-m", "orchestrator_stub.release", command, *options]
        keys: list[str | Path] = ["--keys", self.keys] if keyed else []
        argv = [*program, "--repo", self.folder, *keys, "--json"]
        done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def publish(self, version: str, image: Path, *options: str | Path) -> dict[str, Any]:
        kernel = image.with_suffix(".linux")
        kernel.write_bytes(KERNEL)
        named: list[str | Path] = ["--profile", PROFILE, "--version", version, "--linux", kernel]
        release = self.run("add", image, *named, *options, keyed=False)["release"]
        self.run("publish")
        return dict(release)

    def file(self, name: str) -> Path:
        """A published file by the end of its name."""
        (found,) = self.folder.glob(f"targets/**/*.{name}")
        return found


def make_image(
    folder: Path, version: str, root_of_trust: Path, *, probe: str = "", base: Path | None = None
) -> Path:
    """An erofs image of a version, over a base; with a required probe when there is one."""
    tree, image = folder / f"tree-{version}", folder / f"{version}.raw"
    if base is not None:
        subprocess.run(["cp", "-al", base, tree], check=True)
        (tree / "usr/lib/os-release").unlink()
    own = tree / "usr/lib/puad"
    (own / "probes.d/required").mkdir(parents=True)
    release = f'ID=edge\nIMAGE_ID="{PROFILE}"\nIMAGE_VERSION="{version}"\n'
    (tree / "usr/lib/os-release").write_text(release)
    (tree / "usr/lib/payload").write_bytes(os.urandom(3 << 20))
    shutil.copyfile(root_of_trust, own / "root.json")
    if probe:
        script = own / "probes.d/required/application"
        script.write_text(f"#!/bin/sh\n{probe}\n")
        script.chmod(0o755)
    command = ["mkfs.erofs", "-T0", str(image), str(tree)]
    subprocess.run(command, capture_output=True, check=True)
    return image


@dataclass
class Rig:
    """The node, switched on and off."""

    folder: Path
    server: Node
    orchestrator: Orchestrator
    releases: Releases
    release_url: str
    booted: str = ""
    boots: int = 0
    slot_bytes: int = SLOT_BYTES
    kill_at: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def bus_name(self) -> str:
        """An abstract socket, which every user may reach."""
        return f"puad-rig-{self.server.guid}"

    def _has_bus(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(f"\0{self.bus_name}") == 0

    @property
    def persist(self) -> Path:
        return self.folder / "persist"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def machine(self) -> Machine:
        return Machine(self.folder / "disk", self.persist)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:abstract={self.bus_name}",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
        }

    # ---- the factory ----

    def provision(self, image: Path, **changes: str) -> None:
        """Image into slot a, firmware, configuration, token."""
        for name in ("disk", "persist", "verdict", "root", "config", "control"):
            (self.folder / name).mkdir()
        for slot in "ab":
            with self.machine.slot_file(slot).open("wb") as file:
                file.truncate(self.slot_bytes)
        with image.open("rb") as source, self.machine.slot_file("a").open("r+b") as slot_a:
            shutil.copyfileobj(source, slot_a)
        boot_files = self.machine.disk / "firmware.d/a"
        boot_files.mkdir(parents=True)
        (boot_files / "linux").write_bytes(KERNEL)
        (self.folder / "host-uuid").write_text(self.server.guid + "\n")
        (self.folder / "bus.conf").write_text(open_bus(f"unix:abstract={self.bus_name}"))
        (self.persist / "token").write_text(self.server.token + "\n")
        places = {
            "folder": self.folder,
            "disk": self.machine.disk,
            "root": self.root,
            "run": self.run,
            "persist": self.persist,
            "server": self.orchestrator.url,
            "release": self.release_url,
            "retry_most_s": "2",
            **changes,
        }
        (self.folder / "control.toml").write_text(BOOT_CONTROL.format(**places))
        (self.folder / "config/10-rig.toml").write_text(PUAD.format(**places))
        machine = self.folder / "machine.toml"
        machine.write_text(f'disk = "{self.machine.disk}"\npersist = "{self.persist}"\n')
        command = [sys.executable, "-m", "bootloader", "firmware", "init", "--slot", "a"]
        subprocess.run([*command, "--config", machine], env=self.environment, check=True)

    # ---- the power button ----

    def power_on(self) -> None:
        """One power-on: the firmware chooses, the slot is mounted, everything starts."""
        self.cut_power()
        start = self.machine.boot_loader().power_on()
        assert start is not None, "nothing is bootable"
        self.booted, self.boots = start.slot, self.boots + 1
        mount = ["mount", "-t", "erofs", "-o", "ro,loop"]
        subprocess.run([*mount, self.machine.slot_file(start.slot), self.root], check=True)
        (self.run / "control").mkdir(parents=True)
        (self.run / "boot-id").write_text(f"{uuid.uuid4()}\n")
        word = {"slot": start.slot, "command_line": start.command_line, "pid_namespace": 0}
        (self.run / "control/selected").write_text(json.dumps(word))
        self.start(
            "bus", "/usr/bin/dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"
        )
        self.wait(self._has_bus, "the bus is up")
        self.start_program("control", "bootloader", "--config", self.folder / "control.toml")
        self.start_agent()
        self.start_program("health", "puad.health", *self._config)

    def cut_power(self) -> None:
        """Everything is gone at once."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes.clear()
        if self.root.is_mount():
            subprocess.run(["umount", "-l", self.root], check=True)
        shutil.rmtree(self.run, ignore_errors=True)

    def start_agent(self) -> None:
        """Start puad, in this boot; one that is killed at a point when there is one."""
        if self.kill_at and not self.killed:
            program = ("tests.integration.node.killed_puad", self.kill_at, self._mark)
            self.start_program("puad", *program, *self._config)
        else:
            self.start_program("puad", "puad", *self._config)

    @property
    def killed(self) -> bool:
        """Whether puad was killed at its point."""
        return self._mark.exists()

    @property
    def _mark(self) -> Path:
        return self.folder / "killed"

    def kill_agent(self, number: int = signal.SIGKILL) -> int:
        """End puad, its exit code."""
        process = self.processes["puad"]
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def start_program(self, name: str, module: str, *options: str | Path) -> None:
        """Start one of our programs with this boot's id."""
        bind = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
        inside = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", bind, str(self.run / "boot-id")]
        self.start(name, *inside, sys.executable, "-m", module, *options)

    def start(self, name: str, *argv: str | Path) -> None:
        """Start a process with a log of its own."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                list(argv), env=self.environment, stdout=log, stderr=log, cwd=REPOSITORY
            )

    @property
    def _config(self) -> list[str]:
        return ["--config-dir", str(self.folder / "config")]

    # ---- time ----

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Let the node go on until a condition holds; it reboots when it wants to."""
        until = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > until:
                pytest.fail(f"waited {PATIENCE_S} s in vain until {what}\n{self.logs()}")
            self.turn()
            time.sleep(0.005)

    def turn(self) -> None:
        """What the hardware and the service manager do."""
        if (self.run / "control/reboot").exists():
            self.power_on()
            return
        agent = self.processes.get("puad")
        if self.killed and agent is not None and agent.poll() == -signal.SIGKILL:
            self.start_agent()
        health = self.processes.get("health")
        if health is not None and health.poll() is not None:
            del self.processes["health"]
            if health.returncode == 0:
                (self.run / "control/boot-complete").touch()
                self.start_program("mark", "puad.cli", "mark", "good")

    def wait_for_state(self, *states: str) -> None:
        """Until the persisted run is in one of these states."""
        self.wait(lambda: self.state() in states, f"the run is {' or '.join(states)}")

    def settle(self, *states: str) -> None:
        """Until that state holds and the server has been told."""
        self.wait(
            lambda: self.state() in states and self.stored().get("told"),
            f"the run is {' or '.join(states)} and told",
        )

    def story(self) -> list[str]:
        """Every state that puad has told of, at its starts and between them, without repeats."""
        told: list[str] = []
        for line in (self.folder / "puad.log").read_text(errors="replace").splitlines():
            found = _STARTED.search(line) or _CHANGED.search(line)
            if found is not None and told[-1:] != [found[1]]:
                told.append(found[1])
        return told

    def told_of(self, *states: str) -> bool:
        """Whether puad has told of these states, in this order and of no other.

        On a busy host the slot may be marked good before puad looks for the first time in its
        boot; then it goes from ARMED to DONE.
        """
        at_once = [state for state in states if state != State.ASSESSING]
        return self.story() in (list(states), at_once)

    # ---- what can be seen ----

    def stored(self) -> dict[str, Any]:
        """The persisted run."""
        with contextlib.suppress(OSError, ValueError):
            document = json.loads((self.persist / "run.json").read_bytes())
            return document if isinstance(document, dict) else {}
        return {}

    def state(self) -> str:
        """Its state."""
        return str(self.stored().get("state", ""))

    def cause(self) -> str:
        """The code of its cause; empty without one."""
        return str((self.stored().get("cause") or {}).get("code", ""))

    def puadctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run puadctl as root."""
        argv = [sys.executable, "-m", "puad.cli", *words]
        return subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def as_nobody(self, argv: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as a user without rights."""
        drop = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        return subprocess.run(
            [*drop, *argv],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def status(self) -> dict[str, Any]:
        """The status document; empty while the daemon is not up."""
        done = self.puadctl("status", "--json")
        document: dict[str, Any] = json.loads(done.stdout)
        return document if done.returncode == 0 else {}

    def logs_of(self, program: str) -> str:
        """Everything that a program has said."""
        return (self.folder / f"{program}.log").read_text(errors="replace")

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


class MakeRig(Protocol):
    """Makes a node that runs 1.0, switched off."""

    def __call__(self, *, release_url: str = "", **changes: str) -> Rig: ...


class Window(Protocol):
    """Gives a node a window that opens soon after some seconds and stays open for some."""

    def __call__(self, rig: Rig, in_s: int = 2, for_s: int = 3600) -> None: ...
