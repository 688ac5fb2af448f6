# SPDX-License-Identifier: Apache-2.0
"""Process 1 of the bench's virtual machine: plays whole updates and rollbacks, one on each disk.

It is a node without services: the real engine, effects, store and boot control of this tree in one
process, on the kernel's own vfat and ext4. What is missing is played here: the firmware counts and
chooses, the health process writes its verdict, puad-mark-good marks. What is to be played on which
disk stands in `plays.json` on the disk of the source.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[3]
_POWER_OFF: Final = 0x4321FEDC


def main() -> None:
    """Play everything, then switch off."""
    sys.path.insert(0, str(SOURCE))
    try:
        _prepare()
        from tests.powercut.bench.play import Play  # noqa: PLC0415 -- needs the path above

        for document in json.loads((SOURCE / "plays.json").read_text()):
            began = time.monotonic()
            Play(document, SOURCE).run()
            _say(f"played {document['name']} in {time.monotonic() - began:.1f} s")
        _say("all played")
    except BaseException:  # noqa: BLE001 -- process 1 must switch the machine off
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os.sync()
        ctypes.CDLL(None).reboot(_POWER_OFF)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _prepare() -> None:
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    for kind, folder in (("tmpfs", "/tmp"), ("tmpfs", "/run")):
        subprocess.run(["mount", "-t", kind, kind, folder], check=True)
    os.chdir("/run")


if __name__ == "__main__":
    main()
