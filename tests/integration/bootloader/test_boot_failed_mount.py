# SPDX-License-Identifier: Apache-2.0
"""puad-boot-failed mounts an ext4 boot partition for itself.

The kernel of the reference host knows no FAT; which of both is tried is the unit test's matter.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Attach = Callable[[Path], Path]

# in a process of its own: it leaves the mount namespace
MOUNT = """
import sys
from pathlib import Path
from bootloader.boot_failed import _mount_privately
from bootloader.devices import BlockDevice
place = Path(sys.argv[2])
_mount_privately(BlockDevice("7:0", Path(sys.argv[1]), "7:0"), place)
print((place / "kept").read_text())
try:
    (place / "new").touch()
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture
def attach() -> Iterator[Attach]:
    nodes: list[str] = []

    def as_device(image: Path) -> Path:
        command: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", image]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        nodes.append(done.stdout.strip())
        return Path(nodes[-1])

    yield as_device
    for node in nodes:
        subprocess.run(["/usr/sbin/losetup", "--detach", node], check=True)


def mounted(node: Path, place: Path) -> subprocess.CompletedProcess[str]:
    place.mkdir()
    return subprocess.run(
        [sys.executable, "-c", MOUNT, node, place],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_boot_partition_is_mounted_read_only_and_for_nobody_else(
    tmp_path: Path, attach: Attach
) -> None:
    image, place = tmp_path / "image", tmp_path / "place"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", image], check=True)
    node = attach(image)
    mount: list[str | Path] = ["/usr/bin/mount", "-t", "ext4", node, tmp_path / "filled"]
    (tmp_path / "filled").mkdir()
    subprocess.run(mount, check=True)
    (tmp_path / "filled/kept").write_text("content")
    subprocess.run(["/usr/bin/umount", tmp_path / "filled"], check=True)

    done = mounted(node, place)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["content", "Read-only file system"]
    assert list(place.iterdir()) == []


def test_boot_partition_of_no_known_file_system_is_told(tmp_path: Path, attach: Attach) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    done = mounted(attach(image), tmp_path / "place")
    assert done.returncode != 0
    said = done.stderr.splitlines()[-1]
    assert "the boot partition cannot be mounted" in said
    assert "vfat: " in said
    assert "ext4: Invalid argument" in said
