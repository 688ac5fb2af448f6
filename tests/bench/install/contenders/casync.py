# SPDX-License-Identifier: Apache-2.0
"""casync: chunks from a store over HTTP."""

from __future__ import annotations

from pathlib import Path

from tests.bench.install.contenders.contender import Contender, Stage, synced
from tests.bench.measured import Used, run_measured
from tests.bench.served_folder import served


class Casync(
    Contender,
    name="casync extract",
    promises="HTTP; hash of each chunk before it is written; nothing signed; our fsync",
):
    """A full install, without a seed: a request for each of its many chunks."""

    most_rounds = 2

    @property
    def _folder(self) -> Path:
        return self.stage.folder / "casync"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._folder.mkdir(parents=True)
        store = f"--store={self._folder}/image.castr"
        run_measured(["casync", "make", store, self._folder / "image.caibx", self.stage.image])

    def install(self, device: Path) -> dict[str, Used]:
        with served(self._folder) as server:
            store = f"--store={server.url}/image.castr"
            command = ["casync", "extract", store, f"{server.url}/image.caibx", str(device)]
            return {self.name: synced(lambda: run_measured(command), device)}
