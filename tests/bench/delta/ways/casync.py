# SPDX-License-Identifier: Apache-2.0
"""casync: chunks whose borders depend on their content, 64 KiB on average, over HTTP.

A node needs the index and the chunks that its old image does not have, each a compressed file. It
finds those that it has by reading the old image once more (`--seed`).
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from tests.bench.delta.ways.way import Published, Way
from tests.bench.loop_device import sync
from tests.bench.measured import Used, run_measured
from tests.bench.served_folder import served


class Casync(Way, name="casync, 64 KiB chunks"):
    """A chunk store for each image."""

    is_slow = True

    def publish(self) -> Published:
        self._make("old", self.images.old)
        used = self._make("new", self.images.new)
        known = {path.name for path in self._chunks("old")}
        missing = [path for path in self._chunks("new") if path.name not in known]
        index = self.folder / "new.caibx"
        size = index.stat().st_size + sum(path.stat().st_size for path in missing)
        return Published(size, used, f"{len(missing)} chunks, each a request")

    def install(self, slot: Path) -> Used:
        with served(self.folder) as server:
            started = time.monotonic()
            used = run_measured(
                [
                    "casync",
                    "extract",
                    f"--store={server.url}/new.castr",
                    f"--seed={self.images.old}",
                    f"{server.url}/new.caibx",
                    slot,
                ]
            )
            sync(slot)
        return replace(used, seconds=time.monotonic() - started)

    def _make(self, name: str, image: Path) -> Used:
        index, store = self.folder / f"{name}.caibx", self.folder / f"{name}.castr"
        return run_measured(
            ["casync", "make", "--chunk-size=65536", f"--store={store}", index, image]
        )

    def _chunks(self, name: str) -> list[Path]:
        return list((self.folder / f"{name}.castr").glob("*/*.cacnk"))
