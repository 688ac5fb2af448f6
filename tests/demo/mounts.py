# SPDX-License-Identifier: Apache-2.0
"""Mounts: those that lie below a folder, so that it can be removed without what is behind them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove what a run that was killed has left, which may have /proc and /sys mounted in it.

    Raises:
        OSError: When something there cannot be removed.
        subprocess.CalledProcessError: When something there is in use.
    """
    unmount_below(folder)
    if folder.exists():
        shutil.rmtree(folder)


def unmount_below(folder: Path) -> None:
    """Unmount whatever is mounted in a folder, the innermost first.

    Raises:
        subprocess.CalledProcessError: When something there is in use.
    """
    for place in reversed(mounts_below(folder)):
        subprocess.run(["umount", place], check=True)


def mounts_below(folder: Path) -> list[Path]:
    """What is mounted in a folder, in the order in which it was."""
    folder = folder.resolve()
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    places = [Path(line.split(" ")[1].replace("\\040", " ")) for line in lines]
    return [place for place in places if place.is_relative_to(folder)]
