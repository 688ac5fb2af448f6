# SPDX-License-Identifier: Apache-2.0
"""What puad-provision refuses, run as its command line is; nothing is ever written then."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bootloader.provision import main
from tests.unit.bootloader.provision.efi_program import efi_program

SHIPPED = Path(__file__).parents[4] / "packaging/repart.d"


class Given:
    """Files that would do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "disk"
        self._write("root", b"image" * 1000)
        self._write("linux", b"kernel")
        self._write("loader", efi_program())
        self._write("config", b'backend = "systemd-boot"\n')

    def _write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def blank(self, size: int = 16 << 20) -> None:
        with self.disk.open("wb") as file:
            file.truncate(size)

    def run(self, *more: str) -> int:
        options = ["--root-image", "root", "--linux", "linux", "--boot-loader", "loader"]
        words = [
            word if word.startswith("--") else str(self.folder / word)
            for word in [*options, "--config", "config"]
        ]
        return main([str(self.disk), *words, "--definitions", str(SHIPPED), *more])


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def test_disk_that_holds_a_file_system_is_refused_and_left_alone(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", given.disk], check=True)
    before = given.disk.read_bytes()
    assert given.run() == os.EX_CANTCREAT
    error = capsys.readouterr().err
    assert "it is not blank: it holds ext4" in error
    assert "--wipe destroys everything" in error
    assert given.disk.read_bytes() == before


def test_disk_with_a_partition_table_is_refused(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    subprocess.run(["/usr/sbin/sfdisk", "-q", given.disk], input=b"label: gpt\n", check=True)
    assert given.run() == os.EX_CANTCREAT
    assert "holds PMBR, gpt" in capsys.readouterr().err


def test_file_that_is_refused_keeps_its_size(given: Given) -> None:
    given.blank()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", given.disk], check=True)
    before = given.disk.stat().st_size
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    assert given.disk.stat().st_size == before


@pytest.mark.parametrize("data", [b"a letter to my landlord\n", bytes(4000) + os.urandom(96)])
def test_file_that_holds_what_nobody_knows_is_refused_and_left_alone(
    given: Given, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    given.disk.write_bytes(data)
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    assert "it is not blank: it holds data" in capsys.readouterr().err
    assert given.disk.read_bytes() == data


def test_file_that_a_loop_device_uses_is_refused_even_to_wipe(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    losetup = "/usr/sbin/losetup"
    done = subprocess.run(
        [losetup, "--find", "--show", given.disk], check=True, capture_output=True, text=True
    )
    loop = done.stdout.strip()
    try:
        assert given.run("--wipe") == os.EX_CANTCREAT
        assert f"it is in use by {loop}" in capsys.readouterr().err
    finally:
        subprocess.run([losetup, "--detach", loop], check=True)


def test_device_that_is_mounted_is_refused_even_to_wipe(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", given.disk], check=True)
    mounted = given.folder / "mounted"
    mounted.mkdir()
    subprocess.run(["/usr/bin/mount", "-o", "loop", given.disk, mounted], check=True)
    try:
        command = ["/usr/bin/findmnt", "-no", "SOURCE", mounted]
        given.disk = Path(subprocess.check_output(command, text=True).strip())
        assert given.run("--wipe") == os.EX_CANTCREAT
        assert f"{given.disk}: it is in use; unmount" in capsys.readouterr().err
    finally:
        subprocess.run(["/usr/bin/umount", mounted], check=True)


def test_disk_that_is_not_there_is_refused_with_how_to_make_a_file(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given.run() == os.EX_CANTCREAT
    assert "No such file or directory; give --size to make a file" in capsys.readouterr().err


def test_image_larger_than_a_slot_is_refused_before_a_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given.run("--size", "64M", "--slot-size", "4K") == os.EX_CANTCREAT
    assert "does not fit in a slot of 4096; give a larger --slot-size" in capsys.readouterr().err
    assert not given.disk.exists()


def test_input_that_is_not_there_is_named_and_no_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    (given.folder / "linux").unlink()
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    assert f"{given.folder}/linux: it cannot be read" in capsys.readouterr().err
    assert not given.disk.exists()


def test_configuration_with_an_error_is_named(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    (given.folder / "config").write_text('backend = "systemd-boot"\nuzer = "x"\n')
    assert given.run("--size", "64M") == os.EX_CONFIG
    assert "unknown key uzer; did you mean user?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--size", "4.5G"],
        ["--machine-id", "mine"],
        ["--seed", "x"],
        ["--uki", "/nonexistent"],
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(given: Given, options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        given.run(*options)
    assert caught.value.code == os.EX_USAGE


def test_first_boot_with_nothing_missing_changes_nothing(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank(64 << 20)
    table = "label: gpt\n" + "".join(
        f"size=4M, name={label}\n" for label in ("esp", "rootfs_a", "rootfs_b", "persist")
    )
    subprocess.run(["/usr/sbin/sfdisk", "-q", given.disk], input=table.encode(), check=True)
    before = given.disk.read_bytes()
    assert given.run("--first-boot", "--json") == os.EX_OK
    document = json.loads(capsys.readouterr().out)
    assert (document["changed"], document["partitions"]) == (False, [])
    assert given.disk.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("esp", "rootfs_a", "data"), "holds a partition that is not ours: data"),
        (("esp",), "has no partition rootfs_a"),
        (("esp", "rootfs_a", "rootfs_a"), "two partitions have the label rootfs_a"),
    ],
)
def test_first_boot_of_a_disk_that_is_not_ours_is_refused(
    given: Given, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], why: str
) -> None:
    given.blank(64 << 20)
    table = "label: gpt\n" + "".join(f"size=4M, name={name}\n" for name in names)
    subprocess.run(["/usr/sbin/sfdisk", "-q", given.disk], input=table.encode(), check=True)
    before = given.disk.read_bytes()
    assert given.run("--first-boot") == os.EX_CANTCREAT
    assert why in capsys.readouterr().err
    assert given.disk.read_bytes() == before
