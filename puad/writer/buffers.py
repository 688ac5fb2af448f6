# SPDX-License-Identifier: Apache-2.0
"""A ring of buffers: the memory of a write, all of it taken before the first byte.

The ring goes with a `Feed` of depth `depth`: one buffer is being filled, `depth` wait, one is being
written, so with two more than `depth` no buffer is filled while its bytes are still needed.
"""

from __future__ import annotations

from typing import Final

from puad.writer.slot import make_buffer

MOST_BYTES: Final = 16 << 20
_FILLED_AND_WRITTEN: Final = 2


class BufferRing:
    """Equal buffers, given out in turn.

    Args:
        size_bytes: Size of each.
        wanted_depth: How many shall wait between filling and writing.
    """

    def __init__(self, size_bytes: int, wanted_depth: int) -> None:
        room = MOST_BYTES // size_bytes - _FILLED_AND_WRITTEN
        self.depth = max(1, min(wanted_depth, room))
        self._buffers = [make_buffer(size_bytes) for _ in range(self.depth + _FILLED_AND_WRITTEN)]
        self._next = 0

    def take(self, length: int) -> memoryview:
        """The first `length` bytes of the next buffer, with whatever they hold."""
        view = self._buffers[self._next][:length]
        self._next = (self._next + 1) % len(self._buffers)
        return view
