# SPDX-License-Identifier: Apache-2.0
"""Pipelines of dd, zstd and curl, which check next to nothing: the floor of what is possible."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.bench.install.contenders.contender import Contender, synced
from tests.bench.measured import Used, run_measured, run_pipeline

FLOOR: Final = "zstd -dc | dd"


def _dd(device: Path) -> list[str | Path]:
    return ["dd", f"of={device}", "bs=1M", "iflag=fullblock", "oflag=direct", "conv=notrunc,fsync"]


class Dd(Contender, name="dd", promises="a local plain file; fsync"):
    """The plain image."""

    def install(self, device: Path) -> dict[str, Used]:
        def run() -> Used:
            return run_measured([*_dd(device), f"if={self.stage.image}"])

        return {self.name: synced(run, device)}


class ZstdDd(Contender, name=FLOOR, promises="a local file; zstd's own 32-bit checksums; fsync"):
    """The published file, as any zstd reads it."""

    def install(self, device: Path) -> dict[str, Used]:
        file = self.stage.repository.file(self.stage.version)

        def run() -> Used:
            return run_pipeline([["zstd", "-dcq", file], _dd(device)])

        return {self.name: synced(run, device)}


class CurlZstdDd(
    Contender, name="curl | zstd -dc | dd", promises="HTTP; zstd's own 32-bit checksums; fsync"
):
    """The same over HTTP."""

    def install(self, device: Path) -> dict[str, Used]:
        path = self.stage.repository.file(self.stage.version)
        url = f"{self.stage.url}/{path.relative_to(self.stage.repository.folder)}"

        def run() -> Used:
            return run_pipeline([["curl", "-sSf", url], ["zstd", "-dcq"], _dd(device)])

        return {self.name: synced(run, device)}
