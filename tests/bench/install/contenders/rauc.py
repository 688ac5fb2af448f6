# SPDX-License-Identifier: Apache-2.0
"""RAUC 1.8: `rauc install` of a bundle in its plain format, through its service on a private bus.

The kernel of this host has neither dm-verity nor NBD, so the bundle is a local file: RAUC reads all
of it once for its signature, before it installs.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench.install.contenders.contender import Contender, Stage, synced
from tests.bench.measured import Used, run_measured
from tests.bench.node.installing import memory_mib
from tests.integration.open_bus import open_bus

_NAME: Final = "de.pengutronix.rauc"
_PATIENCE_S: Final = 30.0
_CONFIG: Final = """\
[system]
compatible=bench
bootloader=noop
mountprefix={folder}/mount
statusfile={folder}/status
[keyring]
path={folder}/cert.pem
[slot.rootfs.0]
device={folder}/booted
type=raw
bootname=A
[slot.rootfs.1]
device={device}
type=raw
bootname=B
"""
_MANIFEST: Final = """\
[update]
compatible=bench
version=1
[image.rootfs]
filename=rootfs.img
"""


@dataclass(slots=True)
class _Service:
    """A process of ours, and what it has used."""

    process: subprocess.Popen[bytes]

    def used(self) -> tuple[float, float]:
        """Processor seconds so far, children included, and MiB at the highest."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = sum(int(field) for field in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK"), memory_mib("VmHWM", str(self.process.pid))


class Rauc(
    Contender,
    name="rauc install",
    promises="a local bundle; its signature over all bytes, read once before; fsync",
):
    """The slot is of type raw."""

    @property
    def _folder(self) -> Path:
        return self.stage.folder / "rauc"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        content = self._folder / "content"
        content.mkdir(parents=True)
        (content / "manifest.raucm").write_text(_MANIFEST)
        os.link(self.stage.image, content / "rootfs.img")
        (self._folder / "booted").touch()
        key, cert = self._folder / "key.pem", self._folder / "cert.pem"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]
        named = ["-subj", "/CN=bench", "-keyout", f"{key}", "-out", f"{cert}"]
        run_measured([*request, *named])
        squashfs = "--mksquashfs-args=-comp zstd"
        bundle = ["rauc", f"--cert={cert}", f"--key={key}", squashfs, "bundle", str(content)]
        run_measured([*bundle, self._bundle])

    @property
    def _bundle(self) -> Path:
        return self._folder / "bundle.raucb"

    def install(self, device: Path) -> dict[str, Used]:
        config = self._folder / "system.conf"
        config.write_text(_CONFIG.format(folder=self._folder, device=device))
        address = f"unix:path={self._folder}/bus"
        env = {"DBUS_SYSTEM_BUS_ADDRESS": address}
        rauc: list[str | Path] = ["rauc", "--conf", config]
        with (
            self._bus(address),
            self._started([*rauc, "--override-boot-slot=A", "service"], env) as one,
        ):
            _wait_for_name(env)
            cpu_s, _ = one.used()
            command = [*rauc, "install", self._bundle]
            used = synced(lambda: run_measured(command, env=env), device)
            cpu_after_s, peak = one.used()
        mine = replace(used, cpu_s=used.cpu_s + cpu_after_s - cpu_s, peak_mib=used.peak_mib + peak)
        return {self.name: mine}

    @contextlib.contextmanager
    def _bus(self, address: str) -> Iterator[None]:
        config = self._folder / "bus.conf"
        config.write_text(open_bus(address))
        with self._started(["dbus-daemon", f"--config-file={config}", "--nofork"], {}):
            until = time.monotonic() + _PATIENCE_S
            while not (self._folder / "bus").exists() and time.monotonic() < until:
                time.sleep(0.02)
            yield
        (self._folder / "bus").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _started(self, argv: list[str | Path], env: dict[str, str]) -> Iterator[_Service]:
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, **env})
        try:
            yield _Service(process)
        finally:
            process.terminate()
            process.wait()


def _wait_for_name(env: dict[str, str]) -> None:
    argv = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
    argv += ["org.freedesktop.DBus.GetNameOwner", f"string:{_NAME}"]
    until = time.monotonic() + _PATIENCE_S
    while subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, check=False
    ).returncode:
        if time.monotonic() > until:
            raise RuntimeError("the service of RAUC does not come up")
        time.sleep(0.05)
