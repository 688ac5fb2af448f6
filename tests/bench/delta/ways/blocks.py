# SPDX-License-Identifier: Apache-2.0
"""A block index: each block of 4 KiB that the old image has at any place is not fetched.

That is RAUC's adaptive way (block-hash-index). It is counted here, not run: RAUC needs dm-verity
and NBD for it. A node fetches the index, 32 bytes for each block, and what is missing. That lies in
a squashfs of the bundle, whose zstd compresses 128 KiB together at level 15 by default; so missing
blocks that follow one another are compressed together here, up to that size. RAUC fetches whole
squashfs blocks, hence not less than this.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import zstandard

from tests.bench.delta.ways.way import Published, Way
from tests.bench.measured import Used

_BLOCK_BYTES: Final = 4096
_HASH_BYTES: Final = 32
_MOST_TOGETHER: Final = (128 << 10) // _BLOCK_BYTES
_LEVEL: Final = 15
_THREADS: Final = 2


class Blocks(Way, name="4 KiB block index (as RAUC)"):
    """Missing blocks, compressed in runs."""

    def publish(self) -> Published:
        known = {digest for digest, _ in _blocks(self.images.old)}
        index_bytes, missing = 0, 0
        runs: list[bytearray] = [bytearray()]
        for digest, block in _blocks(self.images.new):
            index_bytes += _HASH_BYTES
            if digest in known:
                runs.append(bytearray())
                continue
            known.add(digest)
            missing += 1
            if len(runs[-1]) == _MOST_TOGETHER * _BLOCK_BYTES:
                runs.append(bytearray())
            runs[-1] += block
        with ThreadPoolExecutor(_THREADS) as pool:
            sizes = pool.map(_compressed_bytes, (bytes(run) for run in runs if run))
        note = f"{missing} blocks missing, {missing * _BLOCK_BYTES >> 20} MiB before compression"
        return Published(index_bytes + sum(sizes), None, note)

    def install(self, slot: Path) -> Used | None:
        return None


def _blocks(image: Path) -> Iterator[tuple[bytes, bytes]]:
    with image.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for start in range(0, len(data), _BLOCK_BYTES):
            block = data[start : start + _BLOCK_BYTES]
            yield hashlib.sha256(block).digest(), block


def _compressed_bytes(run: bytes) -> int:
    # squashfs keeps a block as it is when that is smaller
    return min(len(zstandard.ZstdCompressor(level=_LEVEL).compress(run)), len(run))
