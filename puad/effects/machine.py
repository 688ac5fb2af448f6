# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of load and disks, read from /proc, /sys and the service's control group.

Every figure may be missing: kernels without pressure (PSI), containers, sandboxes. It is None then,
and whoever asks goes without.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Final

from puad.core.neighbours import Reading

_MOST_BYTES: Final = 1 << 18
_SECTOR_BYTES: Final = 512  # of /proc/diskstats, whatever the disk's are
_MICROSECOND: Final = 1e-6
_LOAD: Final = re.compile(r"(\d+\.\d+) ")
_STALLED: Final = re.compile(r"^some .* total=(\d+)$", re.MULTILINE)
_CONTROL_GROUP: Final = re.compile(r"^0::(/.*)$", re.MULTILINE)
_OWN_READ: Final = re.compile(r"^read_bytes: (\d+)$", re.MULTILINE)
_DISK: Final = re.compile(r"^ *\d+ +\d+ (\S+) \d+ \d+ (\d+) ", re.MULTILINE)


class Machine:
    """This node.

    Args:
        proc: Where the kernel's figures are.
        sys: Where its devices and control groups are.
    """

    def __init__(self, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._proc = proc
        self._sys = sys

    def read(self) -> Reading:
        """The figures of this moment."""
        stall_s = self._stalled_s(self._proc / "pressure/io")
        group = _CONTROL_GROUP.search(_text(self._proc / "self/cgroup"))
        own = self._sys / "fs/cgroup" / group[1].strip("/") if group else None
        load = _LOAD.match(_text(self._proc / "loadavg"))
        own_read = _OWN_READ.search(_text(self._proc / "self/io"))
        return Reading(
            at_s=time.monotonic(),
            processors=os.cpu_count() or 1,
            load=float(load[1]) if load else None,
            own_cpu_s=time.process_time(),
            stall_s=stall_s,
            own_stall_s=self._stalled_s(own / "io.pressure") if own else None,
            read_bytes=self._read_bytes(),
            own_read_bytes=int(own_read[1]) if own_read else None,
        )

    def _stalled_s(self, pressure: Path) -> float | None:
        found = _STALLED.search(_text(pressure))
        return int(found[1]) * _MICROSECOND if found else None

    def _read_bytes(self) -> int | None:
        """What was read from the disks; what lies on top of one is not counted again."""
        disks = _DISK.findall(_text(self._proc / "diskstats"))
        sectors = [int(read) for name, read in disks if self._is_disk(name)]
        return sum(sectors) * _SECTOR_BYTES if sectors else None

    def _is_disk(self, name: str) -> bool:
        return (self._sys / "block" / name.replace("/", "!") / "device").exists()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
