# SPDX-License-Identifier: Apache-2.0
"""The format `raw.gz`: what `gzip`, `pigz` and the like make, of one member or several.

Its CRC-32 and size at the end of a member are checked as well, though the signed hashes alone make
the bytes trusted. As with `gzip`, zeros may follow the last member and nothing else may.
"""

from __future__ import annotations

import zlib
from typing import Final

from puad.images.members import MemberFormat, invalid

_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS


class RawGz(MemberFormat, name="raw.gz"):
    """An image compressed by gzip."""

    def begin_member(self, memory_bytes: int) -> _GzMember:  # noqa: ARG002 -- deflate needs 32 KiB
        """Unpacks one gzip member."""
        return _GzMember()

    def may_pad(self, size_bytes: int, *, at_end: bool) -> bool:  # noqa: ARG002 -- any number
        """Zeros are the padding of tapes, behind everything."""
        return at_end


class _GzMember:
    """A gzip member that keeps what it has not unpacked yet."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_HEADER)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        except zlib.error as error:
            raise invalid(str(error)) from error
