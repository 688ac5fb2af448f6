# SPDX-License-Identifier: Apache-2.0
"""Published images of every known format, as a publisher would make them."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import zstandard

from puad import images
from puad.core.chunks import CHUNK_BYTES, Chunk, ChunkIndex, parse_index
from puad.core.manifest import Manifest
from puad.download.release import Release
from puad.images import FramedFormat

# One line for each format. A format without a line fails the contract suite.
# How a publisher makes the frame of a chunk:
ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw": bytes,
    "raw.zst": lambda chunk: zstandard.ZstdCompressor(level=1).compress(chunk),
}
# How it makes the whole file, where chunks have no frames:
COMPRESSORS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw.gz": lambda image: gzip.compress(image, 1, mtime=0),
    "raw.xz": lambda image: lzma.compress(image, preset=0),
}
FRAMED: Final = tuple(
    name for name in images.known() if isinstance(images.get(name), images.FramedFormat)
)
MEMORY_BYTES: Final = 48 << 20


@dataclass(frozen=True)
class Published:
    """An image, the file that it is published as, and what is signed about both."""

    image: bytes
    file: bytes
    index: ChunkIndex
    release: Release

    def with_file(self, file: bytes) -> Published:
        """Other bytes at the server; what is signed stays."""
        return replace(self, file=file)

    def with_signed_file(self, file: bytes) -> Published:
        """A file that is signed as it is, whatever it unpacks to."""
        release = replace(
            self.release, file_size=len(file), file_hash=hashlib.sha256(file).hexdigest()
        )
        return replace(self, file=file, release=release)


@lru_cache(maxsize=32)
def compress(format_name: str, image: bytes) -> bytes:
    """The file of an image, in one piece."""
    return (ENCODERS | COMPRESSORS)[format_name](image)


def publish(
    format_name: str,
    image: bytes,
    chunk_bytes: int = CHUNK_BYTES,
    *,
    framed: bool | None = None,
    cuts: tuple[int, ...] = (),
) -> Published:
    """Publish an image.

    Args:
        format_name: In which format.
        image: What the file unpacks to.
        chunk_bytes: How long a chunk is.
        framed: Whether chunks have frames; None for whatever the format can do.
        cuts: Where a chunk ends before it has that length.
    """
    framed = format_name in FRAMED if framed is None else framed
    pieces = list(_cut(image, chunk_bytes, cuts))
    frames = [ENCODERS[format_name](data) if framed else b"" for data in pieces]
    file = b"".join(frames) if framed else compress(format_name, image)
    rows = []
    file_offset = 0
    for data, frame in zip(pieces, frames, strict=True):
        sha256 = hashlib.sha256(data).digest()
        rows.append(Chunk(0, len(data), file_offset, len(frame), sha256))
        file_offset += len(frame)
    dumped = ChunkIndex(len(image), tuple(rows)).dump()
    index = parse_index(dumped, image_size=len(image), file_size=len(file))
    manifest = Manifest(
        profile="edge",
        version="13.1",
        format=format_name,
        image_size=len(image),
        image_hash=hashlib.sha256(image).hexdigest(),
        built_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    path = f"edge/13.1/edge-13.1.{format_name}"
    release = Release(path, len(file), hashlib.sha256(file).hexdigest(), manifest)
    return Published(image, file, index, release)


def _cut(image: bytes, chunk_bytes: int, cuts: tuple[int, ...]) -> Iterator[bytes]:
    for start, end in itertools.pairwise([0, *sorted(cuts), len(image)]):
        for at in range(start, end, chunk_bytes):
            yield image[at : min(at + chunk_bytes, end)]


def decode_chunk(image_format: FramedFormat, frame: bytes, length: int) -> bytes:
    """What a format makes of a frame that must give so many bytes."""
    into = bytearray(length)
    image_format.fill_chunk(memoryview(frame), memoryview(into))
    return bytes(into)


def zstd_bomb(declared_bytes: int, real_bytes: int) -> bytes:
    """A zstd frame that declares one size and makes another, of a few bytes for each 128 KiB."""
    block = 1 << 17
    window = (20 - 10) << 3  # 1 MiB
    head = b"\x28\xb5\x2f\xfd" + bytes([0b1000_0000, window]) + struct.pack("<I", declared_bytes)
    sizes = [block] * (real_bytes // block) + [real_bytes % block]
    last = len(sizes) - 1
    return head + b"".join(
        struct.pack("<I", (size << 3) | (1 << 1) | (number == last))[:3] + b"a"
        for number, size in enumerate(sizes)
    )
