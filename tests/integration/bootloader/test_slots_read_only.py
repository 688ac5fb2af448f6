# SPDX-License-Identifier: Apache-2.0
"""puad-slots-read-only, with loop devices for partitions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootloader import slots_read_only, write_protection
from bootloader.device_slots import describe_devices
from bootloader.devices import BlockDevice
from bootloader.mounts import parse_mounts, read_mounts
from bootloader.write_protection import is_write_protected


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "bootloader.toml"
    path.write_text('backend = "systemd-boot"\n')
    return path


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The devices of slot a, which is booted, and slot b."""
    made = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.img"
        path.write_bytes(bytes(1 << 20))
        attach: list[str | Path] = ["/usr/sbin/losetup", "--find", "--show", path]
        done = subprocess.run(attach, check=True, capture_output=True, text=True)
        made.append(Path(done.stdout.strip()))
    devices = {device.node: device for device in describe_devices()}

    def labelled() -> list[BlockDevice]:
        return [
            replace(devices[node], disk="1:0", label=label)
            for node, label in zip(made, ("rootfs_a", "rootfs_b"), strict=True)
        ]

    root = f"22 1 {devices[made[0]].number} / / ro - erofs /dev/root ro"
    monkeypatch.setattr(slots_read_only, "describe_devices", labelled)
    monkeypatch.setattr(slots_read_only, "read_mounts", lambda: parse_mounts(root))
    yield made
    for node in made:
        subprocess.run(["/usr/sbin/blockdev", "--setrw", node], check=True)
        subprocess.run(["/usr/sbin/losetup", "--detach", node], check=True)


def write(node: Path) -> None:
    fd = os.open(node, os.O_RDWR)  # some kernels refuse here, others below
    try:
        os.pwrite(fd, b"x" * 512, 0)
    finally:
        os.close(fd)


def test_both_slots_refuse_to_be_written_even_by_root(nodes: list[Path], config: Path) -> None:
    assert not any(is_write_protected(node) for node in nodes)
    assert slots_read_only.main(["--config", str(config)]) == 0
    for node in nodes:
        assert is_write_protected(node)
        with pytest.raises(PermissionError):
            write(node)
    assert slots_read_only.main(["--config", str(config)]) == 0


def test_protection_that_does_not_take_is_told(
    nodes: list[Path],
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(write_protection, "_SET", write_protection._GET)  # does nothing
    assert slots_read_only.main(["--config", str(config)]) == 1
    assert f"the booted slot a can still be written ({nodes[0]})" in capsys.readouterr().err


def test_slots_that_are_not_known_are_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text('backend = "x"\n[devices]\na = "no_such_label"\n')
    assert slots_read_only.main(["--config", str(config)]) == 1
    assert "puad-slots-read-only: " in capsys.readouterr().err


def test_wrong_configuration_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text('backend = "x"\nbackendd = "y"\n')
    assert slots_read_only.main(["--config", str(config)]) == 78
    assert "did you mean backend?" in capsys.readouterr().err


def test_slots_that_are_files_are_left_to_their_modes(config: Path) -> None:
    config.write_text('backend = "simulated"\n[files]\na = "/none/a"\nb = "/none/b"\n')
    assert slots_read_only.main(["--config", str(config)]) == 0


def test_mounts_are_read_when_a_user_has_mounted_under_a_name_that_is_no_text(
    tmp_path: Path,
) -> None:
    place = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(place)  # noqa: PTH102 -- a name that is no text
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "none", place], check=True)
    try:
        points = [str(mount.point) for mount in read_mounts()]
    finally:
        subprocess.run(["/usr/bin/umount", place], check=True)
    assert f"{tmp_path}/\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in points
