# SPDX-License-Identifier: Apache-2.0
"""What puad-provision is given: files that would do, and a systemd-repart that writes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from bootloader.provision import main
from tests.unit.bootloader.provision.efi_program import efi_program
from tests.unit.bootloader.provision.fake_tools import MIB, FakeTools

SHIPPED: Final = Path(__file__).parents[4] / "packaging/repart.d"
PLANNED: Final = {"esp": MIB, "rootfs_a": 4 * MIB, "rootfs_b": 4 * MIB, "persist": MIB}


class Given:
    """Files that would do."""

    def __init__(self, folder: Path, tools: FakeTools) -> None:
        self.folder, self.tools = folder, tools
        self.disk = folder / "disk"
        self.write("root", b"image---" * 640)
        self.write("linux", b"kernel")
        self.write("loader", efi_program())
        self.write("config", b'backend = "systemd-boot"\n')
        users = "".join(f"{name}:x:0:0::/:\n" for name in ("root", "puad", "puad-health"))
        self.write("passwd", users.encode())
        for name in ("mkfs.vfat", "mkfs.ext4", "mcopy"):
            tools.add(name)
        self.plan()

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def plan(self, script: str = "", /, **sizes: int) -> None:
        """Have systemd-repart plan these sizes, and fail when it is to write."""
        write = 'case "$*" in *--dry-run=no*) echo "written" >&2; exit 1;; esac'
        self.tools.add_repart(PLANNED | sizes, f"{write}\n{script}")

    def blank(self, size: int = 16 << 20) -> None:
        with self.disk.open("wb") as file:
            file.truncate(size)

    def run(self, *more: str) -> int:
        """Make a disk; what stands in `more` replaces an option of the same name."""
        options = {"--root-image": "root", "--linux": "linux", "--boot-loader": "loader"}
        files = {name: str(self.folder / file) for name, file in options.items()}
        return self.main(*(word for pair in files.items() for word in pair), *more)

    def main(self, *words: str) -> int:
        standard = {"--config": "config", "--passwd": "passwd"}
        files = [word for pair in standard.items() for word in (pair[0], self.folder / pair[1])]
        return main(
            [str(self.disk), *map(str, files), "--definitions", str(SHIPPED), *words],
        )

    def fails_usage(self, *words: str) -> None:
        with pytest.raises(SystemExit) as caught:
            self.main(*words)
        assert caught.value.code == os.EX_USAGE
