# SPDX-License-Identifier: Apache-2.0
"""Programs that puad-provision finds in place of the system's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from bootloader.command import SEARCH_PATH
from bootloader.provision import tools

MIB: Final = 1 << 20
_VERSION: Final = 'case "$*" in *--version*) echo "systemd 257"; exit;; esac'


class FakeTools:
    """A search path of its own.

    Args:
        folder: Where the programs lie.
        monkeypatch: Whose end is theirs.
        keep: Whether the system's programs are found behind them.
    """

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, keep: bool = False
    ) -> None:
        folder.mkdir()
        self._folder = folder
        path = f"{folder}:{SEARCH_PATH}" if keep else str(folder)
        monkeypatch.setattr(tools, "SEARCH_PATH", path)

    def add(self, name: str, script: str = "") -> Path:
        """A program that runs this script of sh."""
        path = self._folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def add_repart(self, sizes: dict[str, int], script: str = "") -> None:
        """A systemd-repart that plans partitions of these sizes, by label."""
        planned = [
            {
                "label": label,
                "uuid": f"00000000-0000-0000-0000-{number:012}",
                "offset": MIB * (number + 1),
                "raw_size": size,
                "activity": "create",
            }
            for number, (label, size) in enumerate(sizes.items())
        ]
        self.add("systemd-repart", f"{_VERSION}\n{script}\necho '{json.dumps(planned)}'")

    def names(self) -> set[str]:
        """What is there."""
        return {path.name for path in self._folder.iterdir()}
