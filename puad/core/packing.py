# SPDX-License-Identifier: Apache-2.0
"""Packed images: compressed by gzip or xz, as upstream publishes them.

A packed file is one member after another (gzip's word; xz calls it a stream). A member can only be
unpacked from its beginning, and where it ends shows only there. What is accepted is what `gzip -d`
and `xz -d` accept without a word:

1. Behind a member stands another one, or padding of zeros, or nothing. With gzip the padding may
   stand behind everything only, as on a tape; with xz behind each member, in fours.
2. A file that is cut off or damaged, or has anything else behind its end, is refused.
3. An xz member says how much memory unpacking it takes, nearly all of it the dictionary: 9 MiB at
   xz's default level, 65 MiB at level 9. What needs more than may be had is refused before anything
   is unpacked. gzip needs 32 KiB.

The checks that a member carries are made as well, though only signed hashes make bytes trusted.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from enum import StrEnum
from typing import Final, Protocol

from puad.core.errors import Code, ImageError

_XZ_PADDING_BYTES: Final = 4
_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS
_NO_MEMORY: Final = "Memory usage limit exceeded"  # Python's words for LZMA_MEMLIMIT_ERROR
# A member that ends copies what is left behind it: short feeds keep a file of many members quick.
_FEED_BYTES: Final = 1 << 16


class Packing(StrEnum):
    """How a file is packed, by the word for its format in manifests."""

    GZIP = "raw.gz"
    XZ = "raw.xz"


_MARKS: Final = {Packing.GZIP: b"\x1f\x8b", Packing.XZ: b"\xfd7zXZ\0"}
MARK_BYTES: Final = max(map(len, _MARKS.values()))


class MemoryNeededError(ImageError):
    """Unpacking takes more memory than may be had."""


def find_packing(head: bytes) -> Packing | None:
    """How the file that begins so is packed, whatever its name; None when it is not."""
    return next((packing for packing, mark in _MARKS.items() if head.startswith(mark)), None)


def unpack(
    packing: Packing, pieces: Iterable[bytes], *, memory_bytes: int, most_bytes: int
) -> Iterator[bytes]:
    """What a packed file unpacks to.

    Args:
        packing: How it is packed.
        pieces: The file's bytes, in order.
        memory_bytes: The most that unpacking may take.
        most_bytes: The most that is made in one piece.

    Raises:
        MemoryNeededError: `IMAGE_INVALID`, when it needs more memory.
        ImageError: `IMAGE_INVALID`, when it is damaged, cut off, or not packed so.
    """
    feeds = _feeds(pieces)
    rest = next(feeds, b"")
    if not rest:
        raise _invalid("it is empty")
    behind_the_first = False
    while rest:
        if behind_the_first and not _MARKS[packing].startswith(rest[: len(_MARKS[packing])]):
            raise _invalid("something else follows its end")
        behind_the_first = True
        member = _BEGIN[packing](memory_bytes)
        rest = yield from _unpack(member, rest, feeds, most_bytes)
        rest, zeros = _skip_zeros(rest, feeds)
        if zeros and not _may_pad(packing, zeros, at_end=not rest):
            raise _invalid(f"{zeros} zeros stand where none belong")


class _Member(Protocol):
    """What unpacks one member; it keeps what it was given and has not unpacked yet."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_HEADER)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


_BEGIN: Final[dict[Packing, Callable[[int], _Member]]] = {
    Packing.GZIP: lambda _memory_bytes: _GzipMember(),
    Packing.XZ: lambda memory_bytes: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory_bytes),
}


def _feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _FEED_BYTES):
            yield piece[start : start + _FEED_BYTES]


def _unpack(
    member: _Member, data: bytes, feeds: Iterator[bytes], most_bytes: int
) -> Generator[bytes, None, bytes]:
    """Give what one member makes, and return what stands behind it in the last feed."""
    while not member.eof:
        try:
            made = member.decompress(data, most_bytes)
        except (zlib.error, lzma.LZMAError) as error:
            if str(error) == _NO_MEMORY:
                raise MemoryNeededError(
                    Code.IMAGE_INVALID, "Unpacking the image needs more memory than it may take"
                ) from error
            raise _invalid(str(error)) from error
        if made:
            yield made
            data = b""
        elif not member.eof:
            data = next(feeds, b"")
            if not data:
                raise _invalid("it is cut off")
    return member.unused_data


def _skip_zeros(rest: bytes, feeds: Iterator[bytes]) -> tuple[bytes, int]:
    """What stands behind the zeros at the beginning of `rest`, and how many they are."""
    zeros = 0
    while True:
        behind = rest.lstrip(b"\0")
        zeros += len(rest) - len(behind)
        if behind or not (rest := next(feeds, b"")):
            return behind, zeros


def _may_pad(packing: Packing, zeros: int, *, at_end: bool) -> bool:
    return at_end if packing is Packing.GZIP else zeros % _XZ_PADDING_BYTES == 0


def _invalid(why: str) -> ImageError:
    return ImageError(Code.IMAGE_INVALID, f"The compressed image is damaged: {why}")
