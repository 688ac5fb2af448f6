# SPDX-License-Identifier: Apache-2.0
"""The campaign: many states of one recording, on every core."""

from __future__ import annotations

import multiprocessing
import os
from typing import Final

from tests.powercut.checker import Checker, Findings
from tests.powercut.recording import Recording
from tests.powercut.replay import Likenesses, likenesses
from tests.powercut.states import Enumerator, State

_SHARES: Final = 4  # for each core, so that none waits long for the slowest
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
    if len(shares) == 1:
        found.add(_check(shares[0]))
        return found
    with multiprocessing.get_context("fork").Pool(cores, maxtasksperchild=1) as pool:
        for part in pool.imap_unordered(_check, shares):
            found.add(part)
    return found


def _check(states: list[State]) -> Findings:
    if _here is None:
        raise RuntimeError("nothing was inherited")
    checker = Checker(*_here)
    try:
        return checker.check(states)
    finally:
        checker.close()
