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
            try:
                Play(document, SOURCE).run()
            except Exception as error:  # noqa: BLE001 -- the other plays are played as well
                traceback.print_exc()
                _say(f"failed {document['name']}: {type(error).__name__}: {error}")
            else:
                _say(f"played {document['name']}")
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
