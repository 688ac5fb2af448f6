# SPDX-License-Identifier: Apache-2.0
"""Frames: an image becomes a published file and its chunk index, in one pass.

Rules:

1. Each chunk, at most `CHUNK_BYTES`, is encoded by itself, so that a node can fetch and check any
   of them alone. For `raw.zst` that is one zstd frame with its content size and checksum; frames
   one after another are a zstd file, which any `zstd -d` reads.
2. Threads encode, one reads, and the same one writes in order; only a few chunks for each thread
   are ever in memory, whatever the image's size.
3. The same image, format, level and zstd library give the same bytes, whatever the threads.
4. An image that is published as somebody else has packed it has chunks without frames.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, Final

import zstandard

from orchestrator_stub.release.image import RawImage
from orchestrator_stub.release.in_order import in_order
from puad.core.chunks import Chunk, ChunkIndex

MIN_LEVEL: Final = 1
MAX_LEVEL: Final = 22
_CHUNKS_PER_THREAD: Final = 2

Encoder = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an image became: size in bytes and SHA-256 hex, of the root image and of the file."""

    image_size: int
    image_hash: str
    file_size: int
    file_hash: str


@dataclass(slots=True)
class _Frame:
    image_length: int
    sha256: bytes
    data: bytes


@dataclass(slots=True)
class _Tally:
    chunks: list[Chunk] = field(default_factory=list)
    image_offset: int = 0
    file_offset: int = 0

    def add(self, frame: _Frame) -> None:
        self.chunks.append(
            Chunk(
                self.image_offset,
                frame.image_length,
                self.file_offset,
                len(frame.data),
                frame.sha256,
            )
        )
        self.image_offset += frame.image_length
        self.file_offset += len(frame.data)


def raw_encoder(_level: int) -> Encoder:
    """Chunks as they are."""
    return bytes


def zstd_encoder(level: int) -> Encoder:
    """Chunks as zstd frames; each thread keeps its own compressor."""
    local = threading.local()

    def encode(chunk: bytes) -> bytes:
        if not hasattr(local, "compressor"):
            local.compressor = zstandard.ZstdCompressor(
                level=level, write_content_size=True, write_checksum=True
            )
        compressor: zstandard.ZstdCompressor = local.compressor
        return compressor.compress(chunk)

    return encode


ENCODERS: Final[dict[str, Callable[[int], Encoder]]] = {
    "raw": raw_encoder,
    "raw.zst": zstd_encoder,
}


def encode_image(
    image: RawImage,
    out: BinaryIO,
    encode: Encoder,
    *,
    threads: int,
    progress: Callable[[int], object],
) -> tuple[Encoded, ChunkIndex]:
    """Write the published file of an image.

    Args:
        image: The image.
        out: Where the published file is written.
        encode: What makes a frame of a chunk.
        threads: How many encode at a time.
        progress: Called with the unpacked bytes of each frame that was written.

    Raises:
        InputError: When the image cannot be read.
    """
    image_hash, file_hash, tally = hashlib.sha256(), hashlib.sha256(), _Tally()
    with ThreadPoolExecutor(threads, thread_name_prefix="frames") as pool:
        chunks = _hashed(image, image_hash.update)
        make = partial(_make_frame, encode)
        for frame in in_order(pool, make, chunks, threads * _CHUNKS_PER_THREAD):
            out.write(frame.data)
            file_hash.update(frame.data)
            tally.add(frame)
            progress(frame.image_length)
    encoded = Encoded(
        image.root.length, image_hash.hexdigest(), tally.file_offset, file_hash.hexdigest()
    )
    return encoded, ChunkIndex(image.size, tuple(tally.chunks))


def index_image(
    image: RawImage, *, threads: int, progress: Callable[[int], object]
) -> tuple[str, ChunkIndex]:
    """The image hash, and the chunks of an image without frames.

    Args:
        image: The image.
        threads: How many hash at a time.
        progress: Called with the image bytes of each chunk.

    Raises:
        InputError: When the image cannot be read.
    """
    nothing = io.BytesIO()  # and it stays so: no frame has a byte
    encoded, index = encode_image(image, nothing, _no_frame, threads=threads, progress=progress)
    return encoded.image_hash, index


def _no_frame(_chunk: bytes) -> bytes:
    return b""


def _hashed(image: RawImage, update: Callable[[bytes], None]) -> Iterator[bytes]:
    """The chunks of an image; those of its root image are hashed together as well."""
    place, root = 0, image.root
    for chunk in image.chunks():
        if root.offset <= place < root.end:
            update(chunk)
        place += len(chunk)
        yield chunk


def _make_frame(encode: Encoder, chunk: bytes) -> _Frame:
    return _Frame(len(chunk), hashlib.sha256(chunk).digest(), encode(chunk))
