# SPDX-License-Identifier: Apache-2.0
"""Deltas made and read back as a node does it, with small chunks so that many fit in a test."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import zstandard

from orchestrator_stub.release.delta.base import Base
from orchestrator_stub.release.delta.making import Effort, make_delta
from puad.core.chunks import Chunk, ChunkIndex
from puad.core.delta import DeltaIndex, parse_delta_index

SMALL_CHUNK = 32 << 10
QUICK = Effort(level=1, threads=2)


def ignore(_count: int) -> None:
    pass


@contextmanager
def base_of(data: bytes) -> Iterator[Base]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield Base(file.fileno(), len(data))


def decoded(frame: bytes, dictionary: bytes) -> bytes:
    """What a node makes of a frame."""
    words = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdDecompressor(
        dict_data=words if dictionary else None, max_window_size=8 << 20
    ).decompress(frame)


@dataclass
class Made:
    """A delta, its index as a node reads it, and the full file that it goes with."""

    delta: bytes
    index: DeltaIndex
    index_bytes: bytes
    frames: Sequence[bytes]
    chunks: Sequence[Chunk]

    @property
    def cost(self) -> int:
        """What a node fetches: the delta, its index, and what they leave to the full file."""
        rest = zip(self.index.chunks, self.frames, strict=True)
        left = sum(len(frame) for made, frame in rest if made is None)
        return len(self.delta) + len(self.index_bytes) + left

    @property
    def full(self) -> int:
        return sum(map(len, self.frames))

    def rebuild(self, old: bytes) -> bytes:
        """The new image, made of the old one and the delta, and of the full file where it must."""
        pieces = []
        for made, frame, chunk in zip(self.index.chunks, self.frames, self.chunks, strict=True):
            windows = b"".join(old[w.offset : w.end] for w in (made.windows if made else ()))
            if made is None:
                piece = decoded(frame, b"")
            elif made.frame is None:
                piece = windows
            else:
                piece = decoded(self.delta[made.frame.offset : made.frame.end], windows)
            assert hashlib.sha256(piece).digest() == chunk.sha256
            pieces.append(piece)
        return b"".join(pieces)


def make(old: bytes, new: bytes, effort: Effort = QUICK, chunk_bytes: int = SMALL_CHUNK) -> Made:
    """A delta from `old` to `new`, whose full file has frames of the quickest level."""
    pieces = [new[at : at + chunk_bytes] for at in range(0, len(new), chunk_bytes)]
    frames = [
        zstandard.ZstdCompressor(level=1, write_checksum=True).compress(piece) for piece in pieces
    ]
    chunks, offset, at = list[Chunk](), 0, 0
    for piece, frame in zip(pieces, frames, strict=True):
        digest = hashlib.sha256(piece).digest()
        chunks.append(Chunk(at, len(piece), offset, len(frame), digest))
        at, offset = at + len(piece), offset + len(frame)
    out = bytearray()
    with base_of(old) as base:
        full = ChunkIndex(len(new), tuple(chunks))
        made = make_delta(pieces, full, base, out.extend, effort, ignore)
    index = parse_delta_index(made.dump(), chunks=chunks, file_size=len(out))
    assert index == made
    return Made(bytes(out), index, made.dump(), frames, chunks)
