# SPDX-License-Identifier: Apache-2.0
"""How the long work over an image is done, and who is told how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """Something that shows how far a pass over the image is."""

    def __call__(self, what: str, total: int) -> Callable[[int], object]:
        """Begin a pass of `total` bytes; the answer is called with each piece's size."""


@dataclass(frozen=True, slots=True)
class Work:
    """How the long work is done.

    Attributes:
        level: The zstd level.
        threads: How many compress at a time.
        progress: Who is told how far it is.
        deltas: From how many published versions deltas are made.
    """

    level: int
    threads: int
    progress: Progress
    deltas: int = 0
