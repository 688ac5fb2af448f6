# SPDX-License-Identifier: Apache-2.0
"""Mounts: those that lie below a folder, so that it can be removed."""

from __future__ import annotations

import subprocess
from pathlib import Path


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted in a folder, the innermost first.

    Raises:
        subprocess.CalledProcessError: When something there is in use.
    """
    for place in reversed(mounts_below(folder)):
        subprocess.run(["umount", place], check=True)


def mounts_below(folder: Path) -> list[Path]:
    """What is mounted in a folder, in the order in which it was."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    places = [Path(line.split(" ")[1].replace("\\040", " ")) for line in lines]
    return [place for place in places if place.is_relative_to(folder.resolve())]
