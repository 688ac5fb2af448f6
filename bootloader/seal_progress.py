# SPDX-License-Identifier: Apache-2.0
"""How far a seal is: written by the threads that read the slot back, read by whoever asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SealProgress:
    """One seal's progress.

    Attributes:
        done_bytes: How much of the image has been read back, or is being read.
    """

    done_bytes: int = 0

    def show(self, done_bytes: int) -> None:
        """Take in how far the seal is."""
        self.done_bytes = done_bytes
