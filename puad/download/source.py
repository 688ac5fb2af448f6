# SPDX-License-Identifier: Apache-2.0
"""A source: where the bytes of one published file come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol


class Source(Protocol):
    """Byte ranges of one file whose size is signed."""

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """Give exactly `length` bytes from `offset` on, in pieces, or raise.

        Args:
            offset: The first byte.
            length: How many; the range lies within the file.
            cancelled: Asked between pieces and while waiting; true ends the transfer.

        Raises:
            DownloadError: When the bytes cannot be had.
            OperatorError: `CANCELLED`, when `cancelled` said so.
        """
        ...
