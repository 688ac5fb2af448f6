# SPDX-License-Identifier: Apache-2.0
"""One try to boot a slot: its image as the root of new mount and pid namespaces.

Three processes: the caller (the machine's power), the *keeper*, which makes the mounts in a mount
namespace of its own, and pid 1 of the node. Each dies with the one before it, so killing the caller
is a power cut. Network and users are the host's.
"""

from __future__ import annotations

import json
import os
import select
import stat
from pathlib import Path
from typing import Final, NoReturn

from bootloader import command, namespaces
from bootloader.backends.simulated import Start
from bootloader.errors import BootloaderError
from bootloader.simulated_machine import SELECTED, pid_namespace
from bootloader.simulation.machine import Machine

MOUNT_POINT: Final = ".root"  # in the disk folder; only seen in the keeper's namespace
REBOOT_CODE: Final = 3
_RUN: Final = "run/puad-bootloader"
_MOUNT: Final = "/usr/bin/mount"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEVICES: Final = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
_SUPER_BLOCKS: Final = (
    (1024, b"\xe2\xe1\xf5\xe0", "erofs", ""),
    (1080, b"\x53\xef", "ext4", ",noload"),  # its journal must not be replayed: that would write
    (0, b"hsqs", "squashfs", ""),
)
_FAILED: Final = 127
_MAX_REPORT: Final = 4096


class Try:
    """One try of a slot; `start` returns once it is certain whether the slot boots."""

    def __init__(self, machine: Machine, start: Start) -> None:
        self._machine = machine
        self._start = start
        self._keeper = 0

    def start(self) -> str:
        """Start the node; the reason why it did not boot, or nothing."""
        incoming, outgoing = os.pipe()
        power = os.getpid()
        self._keeper = os.fork()
        if not self._keeper:
            os.close(incoming)
            self._keep(power, outgoing)
        os.close(outgoing)
        with os.fdopen(incoming, "rb") as report:
            # pid 1 closes its end by exec: nothing was said, so it runs
            return report.read(_MAX_REPORT).decode("utf-8", "replace")

    def wait(self) -> int:
        """Wait for the node's end; the exit code of its pid 1."""
        _, status = os.waitpid(self._keeper, 0)
        return os.waitstatus_to_exitcode(status)

    def _keep(self, power: int, report: int) -> NoReturn:
        try:
            namespaces.die_with_parent()
            if os.getppid() != power:
                os._exit(_FAILED)
            root = self._make_root()
            code = self._run_node(root, report)
        except (OSError, BootloaderError) as error:
            os.write(report, str(error).encode())
            os._exit(_FAILED)
        os._exit(code)

    def _make_root(self) -> Path:
        machine = self._machine
        namespaces.unshare(namespaces.NEW_MOUNTS)
        namespaces.mount("none", Path("/"), "none", namespaces.PRIVATE)
        root = machine.disk / MOUNT_POINT
        root.mkdir(exist_ok=True)
        _mount_slot(machine.slot_file(self._start.slot), root)
        loop = root.stat().st_dev
        for folder, mode in (("dev", "755"), ("run", "755"), ("tmp", "1777")):
            options = f"mode={mode},size=128m"
            namespaces.mount("tmpfs", root / folder, "tmpfs", namespaces.NO_SUID, options)
        _make_devices(root / "dev", loop)
        namespaces.mount("sysfs", root / "sys", "sysfs", namespaces.READ_ONLY)
        namespaces.mount(str(machine.persist), root / "var/lib", "none", namespaces.BIND)
        namespaces.mount(str(machine.disk), root / "disk", "none", namespaces.BIND)
        return root

    def _run_node(self, root: Path, report: int) -> int:
        alive, keeper = os.pipe()
        namespaces.unshare(namespaces.NEW_PIDS)
        node = os.fork()
        if not node:
            os.close(keeper)
            self._become_init(root, report, alive)
        os.close(report)
        os.close(alive)
        _, status = os.waitpid(node, 0)
        os.close(keeper)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else _FAILED

    def _become_init(self, root: Path, report: int, alive: int) -> NoReturn:
        try:
            namespaces.die_with_parent()
            waiting = select.poll()
            waiting.register(alive, select.POLLIN)
            if waiting.poll(0):  # the keeper died before the kernel knew of our wish
                os._exit(_FAILED)
            namespaces.mount("proc", root / "proc", "proc")
            self._leave_word(root / _RUN)
            namespaces.pivot_to(root)
            os.setsid()
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            init = str(self._machine.init)
            os.execve(init, [init], {"PATH": _PATH, "container": "simulated"})  # noqa: S606 -- no shell is wanted
        except OSError as error:
            os.write(report, str(error).encode())
        os._exit(_FAILED)

    def _leave_word(self, run: Path) -> None:
        run.mkdir(mode=0o755)
        word = {
            "slot": self._start.slot,
            "command_line": self._start.command_line,
            "pid_namespace": pid_namespace(),
        }
        (run / SELECTED).write_text(json.dumps(word))


def _mount_slot(file: Path, root: Path) -> None:
    with file.open("rb") as slot:
        head = slot.read(4096)
    for offset, magic, kind, options in _SUPER_BLOCKS:
        if head[offset : offset + len(magic)] == magic:
            command.run(_MOUNT, "-t", kind, "-o", f"ro,loop{options}", str(file), str(root))
            return
    raise OSError(f"{file.name} holds no file system that the kernel knows")


def _make_devices(folder: Path, loop: int) -> None:
    for name, minor in _DEVICES.items():
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        (folder / name).chmod(0o666)
    # boot control asks it which file lies under the root
    os.mknod(folder / f"loop{os.minor(loop)}", stat.S_IFBLK | 0o600, loop)
    (folder / "fd").symlink_to("/proc/self/fd")
    (folder / "shm").mkdir()
    (folder / "shm").chmod(0o1777)
