# SPDX-License-Identifier: Apache-2.0
"""Ways of one file and one command: full zstd, xdelta3, and zstd with the old image as its patch.

xdelta3 may see the whole old image, not only the 64 MiB around that it would take by itself: it
makes smaller files that way, and needs the memory.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench.delta.ways.way import Published, Way
from tests.bench.loop_device import sync
from tests.bench.measured import Used, run_measured

_MIB: Final = 1 << 20


class _OneFile(Way):
    """A file that one command makes and another one takes."""

    def encode(self, made: Path) -> list[str | Path]:
        """The publisher's command."""
        raise NotImplementedError

    def decode(self, made: Path, slot: Path) -> list[str | Path]:
        """The node's command."""
        raise NotImplementedError

    @property
    def _made(self) -> Path:
        return self.folder / "made"

    def publish(self) -> Published:
        used = run_measured(self.encode(self._made))
        return Published(self._made.stat().st_size, used)

    def install(self, slot: Path) -> Used:
        started = time.monotonic()
        used = run_measured(self.decode(self._made, slot))
        sync(slot)
        return replace(used, seconds=time.monotonic() - started)


class Zstd(_OneFile, name="full, zstd -19"):
    """The whole image in one stream."""

    def encode(self, made: Path) -> list[str | Path]:
        return ["zstd", "-19", "-T0", "-q", "-f", self.images.new, "-o", made]

    def decode(self, made: Path, slot: Path) -> list[str | Path]:
        return ["zstd", "-d", "-q", "-f", made, "-o", slot]


class Xdelta(_OneFile, name="xdelta3 -9 -S lzma"):
    """VCDIFF with LZMA."""

    @property
    def _source(self) -> list[str | Path]:
        window = -(-self.images.old.stat().st_size // _MIB) * _MIB
        return [f"-B{window}", "-s", self.images.old]

    def encode(self, made: Path) -> list[str | Path]:
        return ["xdelta3", "-e", "-f", "-9", "-S", "lzma", *self._source, self.images.new, made]

    def decode(self, made: Path, slot: Path) -> list[str | Path]:
        return ["xdelta3", "-d", "-f", *self._source, made, slot]


class PatchFrom(_OneFile, name="zstd -19 --patch-from"):
    """zstd with the old image as its dictionary."""

    @property
    def _patch(self) -> list[str | Path]:
        return ["--long=31", f"--patch-from={self.images.old}", "-q", "-f"]

    def encode(self, made: Path) -> list[str | Path]:
        return ["zstd", "-19", "-T0", *self._patch, self.images.new, "-o", made]

    def decode(self, made: Path, slot: Path) -> list[str | Path]:
        return ["zstd", "-d", *self._patch, made, "-o", slot]
