# SPDX-License-Identifier: Apache-2.0
"""Files of members: compressed streams one after another, as `gzip` and `xz` write and read them.

A member can only be unpacked from its beginning, and where it ends shows only there. Behind one
stands another, or padding of zeros, or nothing. Anything else makes the file invalid, as does an
end in the middle of a member.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Protocol

from puad.core.errors import Code, ImageError
from puad.images.format import PIECE_BYTES, ImageFormat

# A member that ends copies what is left behind it: short feeds keep a file of many members quick.
_FEED_BYTES: Final = 1 << 16


class Member(Protocol):
    """What unpacks one member."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was given to it and stands behind its end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unpack `data`, behind what is left of earlier data, to at most so many bytes.

        When it gives none it needs more data, or the member has ended.

        Raises:
            ImageError: `IMAGE_INVALID`.
        """
        ...


class MemberFormat(ImageFormat):
    """A format of members. It has no frames: chunks of its files come one after another."""

    @abstractmethod
    def begin_member(self, memory_bytes: int) -> Member:
        """What unpacks the next member, with at most so much memory."""

    @abstractmethod
    def may_pad(self, size_bytes: int, *, at_end: bool) -> bool:
        """Whether so many zeros may stand behind a member, before another or at the file's end."""

    def decode_file(self, pieces: Iterable[bytes], memory_bytes: int) -> Iterator[bytes]:
        """Unpack member after member."""
        feeds = _feeds(pieces)
        rest = next(feeds, b"")
        if not rest:
            raise invalid("it is empty")
        while rest:
            rest = yield from _unpack(self.begin_member(memory_bytes), rest, feeds)
            rest, zeros = _skip_zeros(rest, feeds)
            if zeros and not self.may_pad(zeros, at_end=not rest):
                raise invalid(f"{zeros} zeros stand where none belong")


def invalid(why: str) -> ImageError:
    """The error for a file that is not of its format."""
    return ImageError(Code.IMAGE_INVALID, f"The compressed image cannot be read: {why}")


def _feeds(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _FEED_BYTES):
            yield piece[start : start + _FEED_BYTES]


def _unpack(member: Member, data: bytes, feeds: Iterator[bytes]) -> Generator[bytes, None, bytes]:
    """Give what one member makes, and return what stands behind it in the last feed."""
    while not member.eof:
        if made := member.decompress(data, PIECE_BYTES):
            yield made
            data = b""
        elif not member.eof:
            data = next(feeds, b"")
            if not data:
                raise invalid("it ends too early")
    return member.unused_data


def _skip_zeros(rest: bytes, feeds: Iterator[bytes]) -> tuple[bytes, int]:
    """What stands behind the zeros at the beginning of `rest`, and how many they are."""
    zeros = 0
    while True:
        behind = rest.lstrip(b"\0")
        zeros += len(rest) - len(behind)
        if behind or not (rest := next(feeds, b"")):
            return behind, zeros
