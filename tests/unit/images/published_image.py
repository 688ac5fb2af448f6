# SPDX-License-Identifier: Apache-2.0
"""Published images of every known format, as a publisher would make them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import zstandard

from puad.core.chunks import CHUNK_BYTES, Chunk, ChunkIndex, parse_index
from puad.core.manifest import Manifest
from puad.download.release import Release

# One line for each format: how a publisher makes the frame of a chunk. A format without a line
# fails the contract suite.
ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "raw": bytes,
    "raw.zst": lambda chunk: zstandard.ZstdCompressor(level=1).compress(chunk),
}


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


def publish(format_name: str, image: bytes, chunk_bytes: int = CHUNK_BYTES) -> Published:
    encode = ENCODERS[format_name]
    file = b""
    chunks = []
    for start in range(0, len(image), chunk_bytes):
        data = image[start : start + chunk_bytes]
        frame = encode(data)
        sha256 = hashlib.sha256(data).digest()
        chunks.append(Chunk(start, len(data), len(file), len(frame), sha256))
        file += frame
    dumped = ChunkIndex(len(image), tuple(chunks)).dump()
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
