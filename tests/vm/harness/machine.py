# SPDX-License-Identifier: Apache-2.0
"""Machine: one virtual machine under QEMU, with firmware, disk, watchdog, console and network.

Rules:

1. The disk is an overlay: what it stands on is never written, so that many tests share it.
2. The network ends at one relay to the orchestrator on the host's loopback (`restrict=on`).
3. A power cut ends QEMU at once; what the guest has not flushed stays in the host's page cache.
4. The machine can be saved while it runs, memory and all, and any number of machines can go on
   from there. So every machine has the same devices in the same order.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.demo.waiting import wait_for
from tests.vm.harness.emulator import emulator
from tests.vm.harness.guest import Guest, GuestAwayError
from tests.vm.harness.qmp import Qmp, QmpError

ADDRESS: Final = "10.0.2.100"
PORT: Final = 8443
GUID: Final = "6f9b3c52-4f0e-4c53-9a57-2f8f6c1d7a10"
_FIRMWARE: Final = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
_VARIABLES: Final = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_LIMIT_S: Final = 300
# A machine whose test was killed would go on for ever, on one of the two cores.
_WITH_US: Final = ("/usr/bin/setpriv", "--pdeathsig", "KILL")
_FIRMWARE_STARTS: Final = "BdsDxe: starting"
_SETTLED: Final = re.compile(r"Reached target .{0,20}multi-user\.target")
# A saved machine goes on only with the devices that it was saved with.
DEVICES: Final = """
    -nodefaults -no-user-config -display none -uuid {guid}
    -machine q35 -accel tcg,thread=multi -cpu qemu64 -smp {processors} -m 1024 -rtc base={rtc}
    -action watchdog=reset,panic=none -device i6300esb -device virtio-rng-pci
    -drive if=pflash,unit=0,format=raw,readonly=on,file={firmware}
    -drive if=pflash,unit=1,format=raw,file={variables}
    -drive if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap,file={disk}
    -device virtio-blk-pci,drive=disk,serial=node,write-cache=on,bootindex=1
    -device pcie-root-port,id=socket0,chassis=1
    -device virtio-serial-pci
    -chardev socket,id=guest,path={guest},server=on,wait=off
    -device virtserialport,chardev=guest,name=org.qemu.guest_agent.0
    -chardev file,id=console,path={console},append=on -serial chardev:console
    -qmp unix:{qmp},server=on,wait=off
    -device virtio-net-pci,netdev=net,romfile=
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """A machine at rest: its disk and firmware variables, and its memory when it was running."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The disk, which other disks stand on."""
        return self.folder / "disk.qcow2"

    @property
    def variables(self) -> Path:
        """What the firmware remembers."""
        return self.folder / "variables.fd"

    @property
    def memory(self) -> Path:
        """The memory; not there for a machine that is off."""
        return self.folder / "memory.zst"


@dataclass(slots=True)
class Counters:
    """What the machines of one test cost: boots, seconds switched on, seconds of a processor."""

    boots: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


@dataclass(slots=True)
class Machine:
    """The machine; `folder` is its own.

    Attributes:
        folder: Disk, firmware variables, console log; made anew for each machine.
        relay_port: The orchestrator's port on the host's loopback; 0 for no network.
        rtc: What the clock says at power-on, as QEMU takes it.
        processors: How many it has; one is the cheapest for the host. Saved ones have one.
        extra: More words for QEMU's command line; only for machines that are never saved.
    """

    folder: Path
    relay_port: int = 0
    rtc: str = "utc"
    processors: int = 1
    extra: tuple[str, ...] = ()
    counters: Counters = field(default_factory=Counters)
    qmp: Qmp = field(init=False)
    guest: Guest = field(init=False)
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)
    _sockets: Path = field(init=False)
    _on_since: float = field(init=False, default=0.0)
    _console_at: int = field(init=False, default=0)

    @property
    def disk(self) -> Path:
        """The machine's own layer of the disk."""
        return self.folder / "disk.qcow2"

    @property
    def console(self) -> Path:
        """What came over the serial port, of all boots."""
        return self.folder / "console.log"

    # ---- the disk ----

    def insert(self, disk: Path, disk_format: str = "raw", variables: Path = _VARIABLES) -> None:
        """Give it a disk to stand on, and firmware variables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.disk.unlink(missing_ok=True)
        backing = ["-b", str(disk.resolve()), "-F", disk_format]
        image_tool("create", "-q", "-f", "qcow2", *backing, str(self.disk))
        shutil.copyfile(variables, self.folder / "variables.fd")

    # ---- the power button ----

    def power_on(self, memory: Path | None = None) -> None:
        """Switch it on, or let it go on from saved memory."""
        self._sockets = Path(tempfile.mkdtemp(prefix="puad-vm-"))
        self._console_at = self.console.stat().st_size if self.console.exists() else 0
        incoming = ["-incoming", f"exec:zstd -dcq {memory}"] if memory else []
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_WITH_US, *self._command(), *incoming, *self.extra],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._on_since = time.monotonic()
        try:
            self.qmp = Qmp(self._sockets / "qmp")
        except BaseException:
            self._process.kill()
            self._process = None
            raise
        self.guest = Guest(self._sockets / "guest")
        if memory:
            wait_for("the memory", self._goes_on, _LIMIT_S)
            self.set_clock(time.time())
        else:
            self.counters.boots += 1

    def _goes_on(self) -> bool:
        status = self.qmp.execute("query-status")["status"]
        if status == "paused":  # as it was saved
            self.qmp.execute("cont")
        return bool(status == "running")

    def cut_power(self) -> None:
        """Switch it off, without notice."""
        process, self._process = self._process, None
        if process is None:
            return
        self.counters.cpu_s += _cpu_s(process.pid)
        with contextlib.suppress(QmpError):
            self.qmp.execute("quit")
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.counters.boots += self.qmp.count("RESET")
        self.counters.seconds += time.monotonic() - self._on_since
        self.guest.close()
        self.qmp.close()
        shutil.rmtree(self._sockets)

    @property
    def is_on(self) -> bool:
        """Whether it is switched on."""
        return self._process is not None and self._process.poll() is None

    @property
    def resets(self) -> int:
        """How often it was reset since it was switched on."""
        return self.qmp.count("RESET")

    def set_clock(self, at_s: float) -> None:
        """Set the guest's clock."""
        with contextlib.suppress(GuestAwayError):
            self.guest.run(["date", "--utc", f"--set=@{at_s:.3f}"])

    def save(self, folder: Path) -> Saved:
        """Save the running machine, memory and all, and switch it off."""
        folder.mkdir(parents=True)
        saved = Saved(folder)
        self.qmp.execute("stop")
        self.qmp.execute("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.qmp.execute("migrate", uri=f"exec:zstd -1qf -o {saved.memory}")
        wait_for("the memory to be saved", self._is_saved, _LIMIT_S)
        self.cut_power()
        self.disk.rename(saved.disk)
        (self.folder / "variables.fd").rename(saved.variables)
        return saved

    def _is_saved(self) -> bool:
        status = self.qmp.execute("query-migrate").get("status")
        if status == "failed":
            raise QmpError(f"the memory was not saved: {self.qmp.execute('query-migrate')}")
        return bool(status == "completed")

    def resume(self, saved: Saved) -> None:
        """Go on from a saved machine, which stays as it is."""
        self.insert(saved.disk, "qcow2", saved.variables)
        self.power_on(saved.memory if saved.memory.exists() else None)

    def plug(self, disk: Path) -> None:
        """Plug a second disk in, as a person plugs a stick in."""
        node = {"driver": "raw", "node-name": "stick"}
        file = {"driver": "file", "filename": str(disk.resolve())}
        self.qmp.execute("blockdev-add", **node, file=file)
        self.qmp.execute(
            "device_add", driver="virtio-blk-pci", drive="stick", id="stick", bus="socket0"
        )

    @property
    def is_settled(self) -> bool:
        """Whether systemd has reached its target in this boot, by what the console shows.

        To ask the guest itself, again and again while it boots, takes a third of a slow machine.
        """
        since_firmware = self._said().rpartition(_FIRMWARE_STARTS)
        return not since_firmware[1] or bool(_SETTLED.search(since_firmware[2]))

    def wait_console(self, text: str, limit_s: float) -> None:
        """Wait until the console shows a text that it had not shown at power-on."""
        wait_for(f"{text!r} on the console", lambda: text in self._said(), limit_s)

    def _said(self) -> str:
        with self.console.open("rb") as file:
            file.seek(self._console_at)
            return file.read().decode("utf-8", "replace")

    # ---- QEMU's command line ----

    def _command(self) -> list[str]:
        forward = f",guestfwd=tcp:{ADDRESS}:{PORT}-cmd:busybox nc 127.0.0.1 {self.relay_port}"
        words = DEVICES.format(
            guid=GUID,
            processors=self.processors,
            rtc=self.rtc,
            firmware=_FIRMWARE,
            variables=self.folder / "variables.fd",
            disk=self.disk,
            guest=self._sockets / "guest",
            console=self.console,
            qmp=self._sockets / "qmp",
        ).split()
        return [
            *emulator(),
            *words,
            "-netdev",
            f"user,id=net,restrict=on{forward if self.relay_port else ''}",
        ]


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process so far (proc(5), /proc/pid/stat fields 14 and 15)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended by itself
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def image_tool(*words: str) -> None:
    """Run qemu-img."""
    subprocess.run(["qemu-img", *words], check=True, stdin=subprocess.DEVNULL)
