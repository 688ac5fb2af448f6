# SPDX-License-Identifier: Apache-2.0
"""The file systems of a state: both must mount, and a check finds nothing but what is harmless.

What fsck says is compared line by line with the findings below. A line that is not among them is a
violation, so that a new kind of damage cannot hide among known ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 120
_LOOPS: Final = Path("/sys/block")

HARMLESS_FAT: Final = {
    "dirty bit": re.compile(
        r"(?:0x(?:41|25): )?Dirty bit is set\. Fs was not properly unmounted and some data may be"
        r" corrupt\.| Automatically removing dirty bit\."
        r"|There are differences between boot sector and its backup\."
        r"|This is mostly harmless\. Differences: \(offset:original/backup\)"
        r"| {2}65:0[01]/0[01]| {2}Not automatically fixing this\."
    ),
    "free cluster count": re.compile(
        r"Free cluster summary (?:wrong|uninitialized) \(.*\)| {2}Auto-correcting\."
    ),
    "lost clusters": re.compile(r"Reclaimed \d+ unused clusters? \(\d+ bytes\)\.?"),
    "tables differ, the first is right": re.compile(
        r"FATs differ(?: but appear to be intact)?\.?.*| {2}Using first FAT\."
    ),
}
OF_THE_TARGET: Final = {
    "a file of the slot that is being changed is incomplete": re.compile(
        r" {2}(?:Contains a free cluster \(\d+\)\. Assuming EOF\."
        r"|File size is \d+ bytes, cluster chain length is >? ?\d+ bytes\."
        r"|Truncating file to \d+ bytes\.)"
    ),
    "a file of the slot that is being changed has two names": re.compile(
        r" {2}(?:share clusters\.|Truncating second to \d+ bytes(?: because first is FAT32 root"
        r" dir)?\.)"
    ),
}
_SAID_BY_FSCK: Final = re.compile(
    r"fsck\.fat [\d.]+ .*|.*: \d+ files, \d+/\d+ clusters|Leaving filesystem unchanged\.|"
)
HARMLESS_EXT4: Final[dict[str, re.Pattern[str]]] = {}
_SAID_BY_E2FSCK: Final = re.compile(
    r"e2fsck [\d.]+ .*|Pass \d[A-Z]?: .*|.*: \d+/\d+ files \(.*\), \d+/\d+ blocks|"
)


def check_fat(image: Path, target: str) -> tuple[list[str], set[str]]:
    """What is wrong with a FAT, and which of the harmless findings it has.

    Args:
        image: The file system.
        target: The slot whose files may be incomplete, because no entry names them yet.
    """
    done = _run("/usr/sbin/fsck.vfat", "-n", image)
    own = re.compile(
        rf"(/puad/{target}/\.?[a-z]+(?:\.new)?|/loader/entries/\.?puad-{target}[.+].*)",
        re.IGNORECASE,
    )
    rest, found, files = [], set[str](), list[str]()
    for line in (done.stdout + done.stderr).splitlines():
        if line.startswith("/"):
            files = [*files, line] if files and files[-1].endswith(" and") else [line]
            if not own.fullmatch(line.removesuffix(" and").strip()):
                rest.append(line)
        elif files and all(own.fullmatch(file.removesuffix(" and").strip()) for file in files):
            name = next((name for name, said in OF_THE_TARGET.items() if said.fullmatch(line)), "")
            (found.add(name) if name else rest.append(line))
        else:
            rest.append(line)
    wrong, harmless = _sorted(rest, HARMLESS_FAT, _SAID_BY_FSCK)
    return wrong, harmless | found


def check_ext4(image: Path) -> tuple[list[str], set[str]]:
    """What is wrong with an ext4 whose journal was replayed, and its harmless findings."""
    done = _run("/usr/sbin/e2fsck", "-fn", image)
    return _sorted((done.stdout + done.stderr).splitlines(), HARMLESS_EXT4, _SAID_BY_E2FSCK)


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
        _wait_detached(image)


def _wait_detached(image: Path) -> None:
    """Wait until the kernel has let go: a busy machine may write the super block after umount."""
    end = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < end:
        backing = []
        for path in _LOOPS.glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):  # it goes while it is read
                backing.append(path.read_text(encoding="utf-8").strip())
        if str(image) not in backing:
            return
        time.sleep(0.005)
    raise TimeoutError(f"{image} is still in use")


def _sorted(
    lines: list[str], harmless: dict[str, re.Pattern[str]], nothing: re.Pattern[str]
) -> tuple[list[str], set[str]]:
    wrong, found = [], set()
    for line in lines:
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
