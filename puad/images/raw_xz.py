# SPDX-License-Identifier: Apache-2.0
"""The format `raw.xz`: what `xz` makes, of one stream or several.

A stream says how much memory unpacking it takes, nearly all of it the dictionary: 9 MiB at xz's
default level, 65 MiB at level 9. What needs more than the node gives is refused before anything is
unpacked. As with `xz`, zeros in fours may stand behind each stream.
"""

from __future__ import annotations

import lzma
from typing import Final

from puad.images.members import MemberFormat, invalid

_PADDING_BYTES: Final = 4
_OVER_THE_LIMIT: Final = "Memory usage limit exceeded"  # Python's words for LZMA_MEMLIMIT_ERROR


class RawXz(MemberFormat, name="raw.xz"):
    """An image compressed by xz."""

    def begin_member(self, memory_bytes: int) -> _XzMember:
        """Unpacks one xz stream."""
        return _XzMember(memory_bytes)

    def may_pad(self, size_bytes: int, *, at_end: bool) -> bool:  # noqa: ARG002 -- anywhere
        """Stream padding has a multiple of four bytes."""
        return size_bytes % _PADDING_BYTES == 0


class _XzMember:
    """An xz stream; liblzma keeps what it has not unpacked yet."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory_bytes)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            return self._stream.decompress(data, max_length)
        except lzma.LZMAError as error:
            if str(error) == _OVER_THE_LIMIT:
                what = f"xz needs more memory than {self._memory_bytes} bytes"
                raise invalid(f"{what} (limits.xz_memory_bytes)") from error
            raise invalid(str(error)) from error
