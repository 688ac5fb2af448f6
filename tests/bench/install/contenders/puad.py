# SPDX-License-Identifier: Apache-2.0
"""puad: the write path by itself, and with boot control's seal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.bench.install.contenders.contender import Contender
from tests.bench.measured import Used
from tests.bench.node.installing import Task
from tests.bench.node.node import fresh, install

WRITTEN: Final = "puad, written"
SEALED: Final = "puad, sealed"
_ELSEWHERE: Final = "0.1"


class Puad(
    Contender,
    name="puad",
    promises=(
        "HTTP; signed metadata; SHA-256 of each chunk before it is written; fsync; resumable. "
        "Sealed: signatures once more, every byte read back past the page cache and compared"
    ),
):
    """Both are one install; the clock is read twice."""

    def install(self, device: Path) -> dict[str, Used]:
        stage = self.stage
        task = Task(
            url=stage.url,
            trust_root=str(stage.repository.root_of_trust),
            version=stage.version,
            booted=_ELSEWHERE,
            device=str(device),
            base=str(stage.image),
            persist=str(fresh(stage.folder / "puad")),
            is_sealed=True,
        )
        done = install(task)
        assert done.seal is not None
        sealed = replace(
            done.written,
            seconds=done.sealed_s,
            cpu_s=done.written.cpu_s + done.seal.cpu_s,
            peak_mib=max(done.written.peak_mib, done.seal.peak_mib),
        )
        return {WRITTEN: done.written, SEALED: sealed}
