# SPDX-License-Identifier: Apache-2.0
"""The file systems of a state: both must mount, and a check finds nothing but what is harmless.

What fsck says is compared line by line with the findings below. A line that is not among them is a
violation, so that a new kind of damage cannot hide among known ones.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 120

HARMLESS_FAT: Final = {
    "dirty bit": re.compile(
        r"0x(?:41|25): Dirty bit is set\. Fs was not properly unmounted and some data may be"
        r" corrupt\.| Automatically removing dirty bit\."
    ),
    "free cluster count": re.compile(
        r"Free cluster summary (?:wrong|uninitialized) \(.*\)| {2}Auto-correcting\."
    ),
    "lost clusters": re.compile(
        r"Reclaimed \d+ unused clusters? \(\d+ bytes\)\.?(?: in \d+ chains?\.)?"
        r"|Reclaimed \d+ unused clusters? \(\d+ bytes\)\."
    ),
    "tables differ, the first is right": re.compile(
        r"FATs differ(?: but appear to be intact)?\.?.*| {2}Using first FAT\."
    ),
}
_SAID_BY_FSCK: Final = re.compile(
    r"fsck\.fat [\d.]+ .*|.*: \d+ files, \d+/\d+ clusters|Leaving filesystem unchanged\."
    r"|Orphaned .*|"
)
HARMLESS_EXT4: Final[dict[str, re.Pattern[str]]] = {}
_SAID_BY_E2FSCK: Final = re.compile(
    r"e2fsck [\d.]+ .*|Pass \d[A-Z]?: .*|.*: \d+/\d+ files \(.*\), \d+/\d+ blocks|"
)


def check_fat(image: Path) -> tuple[list[str], set[str]]:
    """What is wrong with a FAT, and which of the harmless findings it has."""
    done = _run("/usr/sbin/fsck.vfat", "-n", image)
    return _sorted(done.stdout + done.stderr, HARMLESS_FAT, _SAID_BY_FSCK)


def check_ext4(image: Path) -> tuple[list[str], set[str]]:
    """What is wrong with an ext4 whose journal was replayed, and its harmless findings."""
    done = _run("/usr/sbin/e2fsck", "-fn", image)
    return _sorted(done.stdout + done.stderr, HARMLESS_EXT4, _SAID_BY_E2FSCK)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    """An ext4 mounted by the kernel, which replays the journal.

    Raises:
        OSError: It does not mount.
    """
    done = _run("/usr/bin/mount", "-t", "ext4", "-o", "loop,noatime", image, folder)
    if done.returncode != 0:
        raise OSError(f"the persistent partition does not mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        _run("/usr/bin/umount", folder).check_returncode()


def _sorted(
    said: str, harmless: dict[str, re.Pattern[str]], nothing: re.Pattern[str]
) -> tuple[list[str], set[str]]:
    wrong, found = [], set()
    for line in said.splitlines():
        names = [name for name, pattern in harmless.items() if pattern.fullmatch(line)]
        if names:
            found.update(names)
        elif not nothing.fullmatch(line):
            wrong.append(line)
    return wrong, found


def _run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(argv),
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
