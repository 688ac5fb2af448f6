# SPDX-License-Identifier: Apache-2.0
"""The campaign: many states of one recording, on every core."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
from typing import Final

from tests.powercut.checker import Checker, Findings
from tests.powercut.recording import Recording
from tests.powercut.replay import Likenesses, likenesses
from tests.powercut.states import Enumerator, State

_SHARES: Final = 4  # for each core, so that none waits long for the slowest
_CLONE_NEWNS: Final = 0x00020000
_here: tuple[Recording, Likenesses] | None = None


def check_recording(recording: Recording, most: int, seed: int, only: str = "") -> Findings:
    """Check a recording.

    Args:
        recording: The recording.
        most: At most so many states.
        seed: Where chance begins.
        only: The name of the one state to check; empty for as many as may be.
    """
    global _here  # noqa: PLW0603 -- what the processes inherit
    enumerator = Enumerator(recording, seed)
    if only:
        point, _, variant = only.partition(":")
        states = [enumerator.state(int(point), variant)]
    else:
        states = enumerator.some(most)
    _here = recording, likenesses(recording)
    cores = os.cpu_count() or 1
    size = max(1, -(-len(states) // (cores * _SHARES)))
    shares = [states[at : at + size] for at in range(0, len(states), size)]
    found = Findings()
    with multiprocessing.get_context("fork").Pool(cores, maxtasksperchild=1) as pool:
        for part in pool.imap_unordered(_check, shares):
            found.add(part)
    return found


def _check(states: list[State]) -> Findings:
    if _here is None:
        raise RuntimeError("nothing was inherited")
    _leave_mounts()
    checker = Checker(*_here)
    try:
        return checker.check(states)
    finally:
        checker.close()


def _leave_mounts() -> None:
    """Mount where nobody else looks: a copy of our mount elsewhere would outlive our umount."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "no mount namespace of its own")
    subprocess.run(["/usr/bin/mount", "--make-rprivate", "/"], check=True)
