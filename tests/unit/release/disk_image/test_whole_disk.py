# SPDX-License-Identifier: Apache-2.0
"""Whole disks: what is found on them, what is not guessed, and what is refused."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from orchestrator_stub.release.disk_image.errors import ChoiceError, DiskImageError, UkiError
from orchestrator_stub.release.disk_image.file_system import find_file_system
from orchestrator_stub.release.disk_image.reading import spliced, within
from orchestrator_stub.release.disk_image.whole_disk import DiskChoice, WholeDisk, survey_disk
from puad.core.boot_file import BootFile, BootFileKind
from puad.core.extent import Extent
from tests.unit.release.disk_image.made_disk import (
    ESP,
    ESP_ID,
    LINUX,
    MIB,
    ROOT_ID,
    ROOT_X86_64,
    UKI_PATH,
    Part,
    make_disk,
    make_esp,
    make_pe,
    make_uki,
    mtools,
    reader,
    upstream_disk,
)

ROOT = os.urandom(2 * MIB)
OTHER_ID = "77777777-8888-4999-8aaa-bbbbbbbbbbbb"


def survey(path: Path, choice: DiskChoice | None = None) -> WholeDisk:
    data = path.read_bytes()
    return survey_disk(reader(data), len(data), choice or DiskChoice())


def content(path: Path, file: BootFile) -> bytes:
    data = path.read_bytes()
    return b"".join(data[extent.offset : extent.end] for extent in file.extents)


@pytest.mark.parametrize("sector", [512, 4096])
def test_survey_of_an_upstream_disk_finds_root_image_and_uki(tmp_path: Path, sector: int) -> None:
    uki = make_uki()
    path = upstream_disk(tmp_path, uki=uki, root=ROOT, sector=sector)
    disk = survey(path)
    root = disk.map.root
    assert path.read_bytes()[root.offset : root.end] == ROOT
    assert disk.map.size == path.stat().st_size
    [file] = disk.boot_files
    assert (file.kind, file.path, file.size) == (BootFileKind.UKI, "", len(uki))
    assert file.sha256 == hashlib.sha256(uki).hexdigest()
    assert content(path, file) == uki
    assert disk.root_partuuid == disk.own_partuuid == ROOT_ID


def test_survey_of_a_uki_in_pieces_finds_them_all(tmp_path: Path) -> None:
    uki = make_uki(size=300_001)
    fill = {f"fill{number:03}": bytes(1024) for number in range(400)}
    esp = make_esp(tmp_path / "esp.img", fill, bits=12, kib=1024, options=["-s", "2"])
    mtools("mdel", esp, *(f"::fill{number:03}" for number in range(0, 400, 2)))
    (tmp_path / "uki").write_bytes(uki)
    mtools("mmd", esp, "::EFI", "::EFI/Linux")
    mtools("mcopy", esp, tmp_path / "uki", f"::{UKI_PATH}")
    parts = [Part("esp", ESP, esp.read_bytes(), ESP_ID), Part("rootfs", LINUX, ROOT, ROOT_ID)]
    path = make_disk(tmp_path / "disk.raw", parts)
    [file] = survey(path).boot_files
    assert len(file.extents) > 100
    assert content(path, file) == uki


def test_survey_of_a_uki_that_names_another_partition_tells_both(tmp_path: Path) -> None:
    path = upstream_disk(tmp_path, uki=make_uki(f"root=PARTUUID={OTHER_ID}".encode()), root=ROOT)
    disk = survey(path)
    assert (disk.root_partuuid, disk.own_partuuid) == (OTHER_ID, ROOT_ID)


def test_survey_without_a_uki_finds_the_root_image_alone(tmp_path: Path) -> None:
    disk = survey(upstream_disk(tmp_path, root=ROOT))
    assert (disk.boot_files, disk.root_partuuid) == ((), None)
    alone = make_disk(tmp_path / "alone.raw", [Part("", ROOT_X86_64, ROOT, ROOT_ID)])
    assert survey(alone).boot_files == ()


def test_survey_with_boot_files_given_does_not_read_the_esp(tmp_path: Path) -> None:
    parts = [Part("esp", ESP, b"no FAT" * MIB, ESP_ID), Part("r", LINUX, ROOT, ROOT_ID)]
    path = make_disk(tmp_path / "disk.raw", parts)
    assert survey(path, DiskChoice(has_boot_files=True)).boot_files == ()
    with pytest.raises(DiskImageError, match="FAT"):
        survey(path)


@pytest.mark.parametrize(
    ("parts", "wanted", "found"),
    [
        ([("a", LINUX), ("b", ROOT_X86_64)], None, 2),
        ([("a", LINUX), ("esp", ESP)], None, 1),
        ([("a", LINUX), ("b", LINUX)], "b", 2),
        ([("a", LINUX), ("b", LINUX)], "1", 1),
        ([("2", LINUX), ("b", LINUX)], "2", 1),
        ([("data", ESP), ("b", LINUX)], "data", 1),
    ],
)
def test_survey_takes_the_root_partition_that_is_meant(
    tmp_path: Path, parts: list[tuple[str, str]], wanted: str | None, found: int
) -> None:
    path = make_disk(tmp_path / "disk.raw", made(parts))
    choice = DiskChoice(root_partition=wanted, has_boot_files=True)
    assert survey(path, choice).map.root == Extent(found * MIB, MIB)


def made(parts: list[tuple[str, str]]) -> list[Part]:
    return [
        Part(label, type_id, bytes([number]) * MIB, f"{number:08x}-0000-4000-8000-000000000000")
        for number, (label, type_id) in enumerate(parts, 1)
    ]


@pytest.mark.parametrize(
    ("parts", "wanted", "what"),
    [
        ([("a", LINUX), ("b", LINUX)], None, "more than one .* is 1 a .1 MiB., 2 b .1 MiB."),
        ([("rootfs_a", ROOT_X86_64), ("rootfs_b", ROOT_X86_64)], None, "more than one"),
        ([("esp", ESP)], None, "no partition"),
        ([("a", LINUX), ("a", LINUX)], "a", "more than one"),
        ([("a", LINUX)], "b", "no partition of the disk is called b"),
        ([("a", LINUX)], "2", "called 2"),
        ([], None, "is nothing"),
    ],
)
def test_survey_guesses_no_root_partition(
    tmp_path: Path, parts: list[tuple[str, str]], wanted: str | None, what: str
) -> None:
    path = make_disk(tmp_path / "disk.raw", made(parts))
    with pytest.raises(ChoiceError, match=what) as caught:
        survey(path, DiskChoice(root_partition=wanted))
    assert "--root-partition" in caught.value.hint


def test_survey_of_several_ukis_lists_them_and_takes_the_named_one(tmp_path: Path) -> None:
    files = {"EFI/Linux/one.efi": make_uki(), "EFI/Linux/two.EFI": b"2", "EFI/Linux/no": b"n"}
    files["EFI/BOOT/BOOTX64.EFI"] = make_uki(b"root=LABEL=x")
    esp = make_esp(tmp_path / "esp.img", files).read_bytes()
    parts = [Part("esp", ESP, esp, ESP_ID), Part("rootfs", LINUX, ROOT, ROOT_ID)]
    path = make_disk(tmp_path / "disk.raw", parts)
    with pytest.raises(ChoiceError, match=r"one\.efi, two\.EFI") as caught:
        survey(path)
    assert "--uki-path" in caught.value.hint
    for name in ("/EFI/Linux/one.efi", "efi\\linux\\ONE.EFI", "EFI//BOOT/bootx64.efi"):
        [file] = survey(path, DiskChoice(uki_path=name)).boot_files
        assert content(path, file) in files.values()
    for name in ("/EFI/Linux/three.efi", "/EFI/Linux", ""):
        with pytest.raises(ChoiceError, match=r"one\.efi, two\.EFI"):
            survey(path, DiskChoice(uki_path=name))
    with pytest.raises(UkiError, match=r"two\.EFI on the ESP is no unified kernel image"):
        survey(path, DiskChoice(uki_path="EFI/Linux/two.EFI"))


@pytest.mark.parametrize("uki", [b"", make_pe({b".text": b"systemd-boot"})])
def test_survey_of_a_file_that_is_no_uki_refuses(tmp_path: Path, uki: bytes) -> None:
    with pytest.raises(UkiError):
        survey(upstream_disk(tmp_path, uki=uki, root=ROOT))


def test_survey_of_several_esps_refuses(tmp_path: Path) -> None:
    path = make_disk(tmp_path / "disk.raw", made([("a", ESP), ("b", ESP), ("r", LINUX)]))
    with pytest.raises(ChoiceError, match="several ESPs"):
        survey(path)


def test_survey_with_a_uki_path_and_no_esp_refuses(tmp_path: Path) -> None:
    path = make_disk(tmp_path / "disk.raw", made([("r", LINUX)]))
    with pytest.raises(ChoiceError, match="no ESP"):
        survey(path, DiskChoice(uki_path="EFI/Linux/a.efi"))


def test_survey_with_any_byte_changed_refuses_or_answers_within_the_disk(tmp_path: Path) -> None:
    data = upstream_disk(tmp_path, uki=make_uki(size=9000), root=ROOT[:MIB]).read_bytes()
    noise, refused = random.Random(7), 0
    for _ in range(300):
        changed = bytearray(data)
        # boot sector and header, or where the ESP begins
        start = noise.choice([0, 512, MIB, MIB + 32 * 512])
        changed[start + noise.randrange(600)] = noise.randrange(256)
        try:
            disk = survey_disk(reader(bytes(changed)), len(changed), DiskChoice())
        except DiskImageError:
            refused += 1
            continue
        for extent in (disk.map.root, *(e for file in disk.boot_files for e in file.extents)):
            assert 0 <= extent.offset < extent.end <= len(changed)
    assert refused > 20


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("erofs", ["mkfs.erofs"]),
        ("ext4", ["mkfs.ext4", "-q", "-d"]),
    ],
)
def test_find_file_system_knows_what_the_tools_make(
    tmp_path: Path, name: str, command: list[str]
) -> None:
    (tmp_path / "tree").mkdir()
    image = tmp_path / "root.img"
    tail = [tmp_path / "tree", image, "4M"] if name == "ext4" else [image, tmp_path / "tree"]
    subprocess.run([*command, *tail], check=True, capture_output=True)
    assert find_file_system(reader(image.read_bytes())) == name


@pytest.mark.parametrize(
    ("name", "place", "mark"),
    [("squashfs", 0, b"hsqs"), ("btrfs", 65600, b"_BHRfS_M"), ("xfs", 0, b"XFSB")],
)
def test_find_file_system_by_the_mark_in_its_superblock(name: str, place: int, mark: bytes) -> None:
    assert find_file_system(reader(bytes(place) + mark + bytes(99))) == name


def test_find_file_system_of_anything_else_is_none() -> None:
    for data in (b"", bytes(70_000), b"LUKS\xba\xbe" + bytes(70_000)):
        assert find_file_system(reader(data)) is None


def test_spliced_reads_across_its_runs_and_within_stays_in_its_part() -> None:
    data = bytes(range(200))
    runs = [Extent(100, 7), Extent(3, 1), Extent(50, 20)]
    whole = b"".join(data[run.offset : run.end] for run in runs)
    read = spliced(reader(data), runs)
    for offset in range(30):
        for length in range(35):
            assert read(offset, length) == whole[offset : offset + length]
    part = within(reader(data), Extent(10, 5))
    assert [part(0, 9), part(3, 9), part(5, 9), part(9, 1)] == [data[10:15], data[13:15], b"", b""]
