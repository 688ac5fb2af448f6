# SPDX-License-Identifier: Apache-2.0
"""Packed images: compressed by gzip or xz, as upstream publishes them.

Rules:

1. What a file is, its first bytes say, never its name.
2. What is accepted is what `gzip -d` and `xz -d` accept without a word: members and streams one
   after another, zeros behind the last member, zeros in fours behind a stream. A file that is cut
   off or damaged, or has anything else behind its end, is refused.
3. A file that is published as it is needs no more memory to unpack than a node gives.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, Protocol

from orchestrator_stub.release.errors import InputError

# What a node gives to unpacking xz: enough for a dictionary of 32 MiB, not for one of 48.
NODE_MEMORY_BYTES: Final = 48 << 20
# What the publisher gives when it only reads the file.
OWN_MEMORY_BYTES: Final = 1 << 30
_PIECE_BYTES: Final = 1 << 20
# A member that ends copies what is left behind it: short feeds keep a file of many members quick.
_FEED_BYTES: Final = 1 << 16
_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_XZ_PADDING_BYTES: Final = 4
_NO_MEMORY: Final = "Memory usage limit exceeded"  # Python's words for LZMA_MEMLIMIT_ERROR


class Packing(StrEnum):
    """How a file is packed; as in the word for the format in which it is published as it is."""

    GZIP = "raw.gz"
    XZ = "raw.xz"


_MARKS: Final = {Packing.GZIP: b"\x1f\x8b", Packing.XZ: b"\xfd7zXZ\0"}
MARK_BYTES: Final = max(map(len, _MARKS.values()))


def find_packing(head: bytes) -> Packing | None:
    """How the file that begins so is packed; None when it is not."""
    return next((packing for packing, mark in _MARKS.items() if head.startswith(mark)), None)


def unpack(
    pieces: Iterable[bytes], packing: Packing, *, memory_bytes: int, on: str
) -> Iterator[bytes]:
    """What a packed file unpacks to, in pieces of at most 1 MiB.

    Args:
        pieces: The file's bytes, in order.
        packing: How it is packed.
        memory_bytes: The most that unpacking may take.
        on: Its name, for messages.

    Raises:
        InputError: When it is damaged, cut off, or needs more memory.
    """
    begin = _BEGIN[packing]
    member: _Member | None = None
    begun, zeros = False, 0
    for rest in _feeds(pieces):
        data = rest
        while data:
            if member is None:
                behind = data.lstrip(b"\0") if begun else data
                zeros += len(data) - len(behind)
                if not behind:
                    break
                if not _may_stand(packing, zeros, at_end=False):
                    raise _damaged(on, "there is something else behind its end")
                member, begun, zeros, data = begin(memory_bytes), True, 0, behind
            yield from _unpack_member(member, data, on, memory_bytes)
            data = member.unused_data if member.eof else b""
            member = None if member.eof else member
    if member is not None or not begun:
        raise _damaged(on, "it is cut off")
    if not _may_stand(packing, zeros, at_end=True):
        raise _damaged(on, f"there are {zeros} zeros behind its end")


class _Member(Protocol):
    """What unpacks one gzip member or xz stream; it keeps what it has not unpacked yet."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_HEADER)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


_BEGIN: Final[dict[Packing, Callable[[int], _Member]]] = {
    Packing.GZIP: lambda _memory_bytes: _GzipMember(),
    Packing.XZ: lambda memory_bytes: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory_bytes),
}


def _may_stand(packing: Packing, zeros: int, *, at_end: bool) -> bool:
    """Whether so many zeros may stand behind a member, in front of another or at the end."""
    return not zeros or (at_end if packing is Packing.GZIP else zeros % _XZ_PADDING_BYTES == 0)


def _unpack_member(member: _Member, data: bytes, on: str, memory_bytes: int) -> Iterator[bytes]:
    try:
        while made := member.decompress(data, _PIECE_BYTES):
            yield made
            if member.eof:
                return
            data = b""
    except (zlib.error, lzma.LZMAError) as error:
        if str(error) == _NO_MEMORY:
            raise _too_large(on, memory_bytes) from error
        raise _damaged(on, str(error)) from error


def _feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _FEED_BYTES):
            yield piece[start : start + _FEED_BYTES]


def _damaged(on: str, why: str) -> InputError:
    return InputError(
        f"the compressed image is damaged: {why}",
        on=on,
        hint="Get it again, and compare its SHA-256 with what its publisher says.",
    )


def _too_large(on: str, memory_bytes: int) -> InputError:
    return InputError(
        f"unpacking it takes more than {memory_bytes >> 20} MiB of memory",
        on=on,
        hint="Nodes unpack what `xz -8` or less has made; or publish it with --format raw.zst.",
    )
