# SPDX-License-Identifier: Apache-2.0
"""The FAT reader, against file systems of Debian's tools: trees, pieces, damage."""

from __future__ import annotations

import contextlib
import random
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_stub.release.disk_image.errors import FatError
from orchestrator_stub.release.disk_image.fat import Fat
from orchestrator_stub.release.disk_image.fat_folder import FatEntry
from orchestrator_stub.release.disk_image.reading import Read
from puad.core.extent import Extent
from tests.unit.release.disk_image.made_disk import make_esp, mtools, reader

KIB = {12: 1500, 16: 12_000, 32: 36_000}
MOST = 1024
NAMES = (
    "linux.efi",
    "PLAIN.TXT",
    "Mixed.Case",
    "no-ending",
    "a name with spaces and more than thirteen letters.efi",
    "ünïcödé-字.conf",
    "x" * 200 + ".efi",
    ".hidden",
    "two.dots.efi",
)


def open_fat(image: Path) -> Fat:
    data = image.read_bytes()
    return Fat(reader(data), len(data))


def walk(
    fat: Fat, folder: FatEntry | None = None, path: str = ""
) -> Iterator[tuple[str, FatEntry]]:
    for entry in fat.entries(folder):
        if entry.is_folder:
            yield from walk(fat, entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry


def content(data: bytes, extents: tuple[Extent, ...]) -> bytes:
    return b"".join(data[extent.offset : extent.end] for extent in extents)


def contents(image: Path) -> dict[str, bytes]:
    data, fat = image.read_bytes(), open_fat(image)
    return {path: content(data, fat.extents(file, MOST)) for path, file in walk(fat)}


def random_tree(noise: random.Random, bits: int) -> dict[str, bytes]:
    folders = ["", "EFI/", "EFI/Linux/", "loader/entries/", "a folder with a long name/"]
    names = [noise.choice(folders) + name for name in NAMES for _ in range(2)]
    most = KIB[bits] * 1024 // (4 * len(names))
    return {name: noise.randbytes(noise.choice([0, 1, 511, 512, 4096, most])) for name in names}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bits", [12, 16, 32])
def test_entries_and_extents_of_a_random_tree_are_what_mtools_wrote(
    tmp_path: Path, bits: int, seed: int
) -> None:
    noise = random.Random(seed)
    tree = random_tree(noise, bits)
    per_cluster = noise.choice([1, 2] if bits == 12 else [1])
    image = make_esp(
        tmp_path / "esp.img", tree, bits=bits, kib=KIB[bits], options=["-s", str(per_cluster)]
    )
    assert open_fat(image).bits == bits
    assert contents(image) == tree


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_extents_of_files_in_many_pieces_are_what_mtools_wrote(tmp_path: Path, bits: int) -> None:
    noise = random.Random(bits)
    per_cluster = 1 if bits == 32 else 2
    cluster = 512 * per_cluster
    small = {f"fill/{number}": noise.randbytes(cluster) for number in range(200)}
    image = make_esp(
        tmp_path / "esp.img", small, bits=bits, kib=KIB[bits], options=["-s", str(per_cluster)]
    )
    gone = sorted(small)[::2]
    for first in range(0, len(gone), 50):
        mtools("mdel", image, *(f"::{name}" for name in gone[first : first + 50]))
    # The next file fills the gaps when the search for room begins at the front again.
    if bits == 32:
        forget_hint(image)
    big = tmp_path / "big.efi"
    big.write_bytes(noise.randbytes(150 * cluster + 7))
    mtools("mcopy", image, big, "::")
    left = {name: data for name, data in small.items() if name not in gone}
    assert contents(image) == left | {"big.efi": big.read_bytes()}
    fat = open_fat(image)
    file = fat.find(("BIG.EFI",))
    assert file is not None
    extents = fat.extents(file, MOST)
    assert 50 < len(extents) < 150
    assert fat.extents(file, len(extents)) == extents
    with pytest.raises(FatError, match="more than"):
        fat.extents(file, len(extents) - 1)


def forget_hint(image: Path) -> None:
    """Make FAT32 look for room from its first cluster."""
    with image.open("r+b") as file:
        file.seek(512 + 492)
        file.write(b"\xff" * 4)


def test_extents_of_a_file_in_one_piece_are_one(tmp_path: Path) -> None:
    image = make_esp(tmp_path / "esp.img", {"a": b"x" * 9999}, bits=16, kib=KIB[16])
    fat = open_fat(image)
    file = fat.find(("a",))
    assert file is not None
    [extent] = fat.extents(file, 1)
    assert extent.length == 9999


def test_fat32_of_few_clusters_is_read_as_linux_reads_it(tmp_path: Path) -> None:
    # mtools refuses it, and firmware and Linux do not: so this one is written by hand.
    data = bytearray(make_esp(tmp_path / "esp.img", {}, bits=32, options=["-s", "1"]).read_bytes())
    (reserved, tables), (length,) = (
        struct.unpack_from("<HB", data, 14),
        struct.unpack_from("<I", data, 36),
    )
    folder = (reserved + tables * length) * 512
    struct.pack_into("<11sB8xH4xHI", data, folder, b"LINUX   EFI", 0x20, 0, 5, 700)
    struct.pack_into("<II", data, reserved * 512 + 5 * 4, 9, 0xF000_0000)  # the upper bits are free
    struct.pack_into("<I", data, reserved * 512 + 9 * 4, 0xFFFF_FFF8)
    [(name, file)] = walk(fat := Fat(reader(bytes(data)), len(data)))
    assert (fat.bits, name, file.size) == (32, "LINUX.EFI", 700)
    assert fat.extents(file, 2) == (Extent(folder + 3 * 512, 512), Extent(folder + 7 * 512, 188))


def test_find_knows_no_case_and_no_path_through_a_file(tmp_path: Path) -> None:
    fat = open_fat(make_esp(tmp_path / "esp.img", {"EFI/Linux/a.efi": b"a"}, bits=16, kib=KIB[16]))
    found = fat.find(("efi", "LINUX", "A.EFI"))
    assert found is not None
    assert found.name == "a.efi"
    assert fat.find(("efi", "none", "a.efi")) is None
    assert fat.find(("efi", "linux", "a.efi", "deeper")) is None
    with pytest.raises(FatError, match="no folder"):
        fat.entries(found)


def test_entries_of_deleted_files_are_not_there(tmp_path: Path) -> None:
    tree = {"a long name that has gone.efi": b"1", "stays.efi": b"2"}
    image = make_esp(tmp_path / "esp.img", tree, bits=16, kib=KIB[16])
    mtools("mdel", image, "::a long name that has gone.efi")
    assert contents(image) == {"stays.efi": b"2"}


def test_entries_with_a_long_name_of_another_file_count_by_the_short_one(tmp_path: Path) -> None:
    name = "a long name of some file.efi"
    image = make_esp(tmp_path / "esp.img", {name: b"1"}, bits=16, kib=KIB[16])
    data = bytearray(image.read_bytes())
    place = data.index(b"ALONGN~1EFI")
    data[place : place + 11] = b"OTHER~~1EFI"
    image.write_bytes(data)
    assert list(contents(image)) == ["OTHER~~1.EFI"]


def linked(image: Path, file: str, follower: int) -> Fat:
    """The file system with the first cluster of a file leading to another one."""
    fat = open_fat(image)
    entry = fat.find(tuple(file.split("/")))
    assert entry is not None
    data = bytearray(image.read_bytes())
    (reserved,) = struct.unpack_from("<H", data, 14)
    struct.pack_into("<H", data, reserved * 512 + entry.cluster * 2, follower or entry.cluster)
    return Fat(reader(bytes(data)), len(data))


@pytest.mark.parametrize(
    ("follower", "what"),
    [(0, "comes back"), (1, "does not exist"), (0xFFF6, "does not exist"), (0xFFFF, "ends before")],
)
def test_extents_of_a_broken_chain_are_refused(tmp_path: Path, follower: int, what: str) -> None:
    image = make_esp(tmp_path / "esp.img", {"EFI/a": b"x" * 70_000}, bits=16, kib=KIB[16])
    fat = linked(image, "EFI/a", follower)
    file = fat.find(("EFI", "a"))
    assert file is not None
    with pytest.raises(FatError, match=what):
        fat.extents(file, MOST)


def test_name_that_would_write_on_the_terminal_does_not_get_into_a_message(tmp_path: Path) -> None:
    image = make_esp(tmp_path / "esp.img", {"EVIL": b"x" * 70_000}, bits=16, kib=KIB[16])
    image.write_bytes(image.read_bytes().replace(b"EVIL       ", b"\x1b[2JEVIL   "))
    fat = linked(image, "\x1b[2JEVIL", 0xFFFF)
    [file] = fat.entries()
    with pytest.raises(FatError, match="EVIL ends before") as caught:
        fat.extents(file, MOST)
    assert str(caught.value).isprintable()
    assert caught.value.what.isprintable()


def test_entries_of_a_folder_that_comes_back_to_itself_are_refused(tmp_path: Path) -> None:
    image = make_esp(tmp_path / "esp.img", {"EFI/a": b"x"}, bits=16, kib=KIB[16])
    fat = linked(image, "EFI", 0)
    with pytest.raises(FatError, match="comes back"):
        fat.find(("EFI", "a"))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (510, b"\0"),  # no mark
        (11, b"\x01\x02"),  # sectors of 513 bytes
        (13, b"\3"),  # clusters of three sectors
        (13, b"\0"),
        (14, b"\0\0"),  # no reserved sector
        (16, b"\0"),  # no table
        (16, b"\5"),
        (19, b"\xff\xff"),  # more sectors than the partition
        (21, b"\0"),  # a medium that there is not
        (22, b"\1\0"),  # a table that is too short
        (22, b"\0\0"),  # FAT32 without a table
    ],
)
def test_fat_of_a_boot_sector_that_makes_no_sense_is_refused(
    tmp_path: Path, place: int, value: bytes
) -> None:
    data = bytearray(make_esp(tmp_path / "esp.img", {}, bits=16, kib=KIB[16]).read_bytes())
    data[place : place + len(value)] = value
    with pytest.raises(FatError):
        Fat(reader(bytes(data)), len(data))


def test_fat32_with_another_table_in_use_is_refused(tmp_path: Path) -> None:
    data = bytearray(make_esp(tmp_path / "esp.img", {}, bits=32, kib=KIB[32]).read_bytes())
    data[40] = 0x81
    with pytest.raises(FatError, match="another than the first table"):
        Fat(reader(bytes(data)), len(data))


@dataclass(frozen=True)
class Image:
    """A file system, and where in it there is something to change."""

    data: bytes
    used: list[int]

    def changed(self, changes: dict[int, int]) -> Read:
        """Reads it with other bytes in some places."""

        def read(offset: int, length: int) -> bytes:
            found = bytearray(self.data[offset : offset + length])
            for place, value in changes.items():
                if offset <= place < offset + len(found):
                    found[place - offset] = value
            return bytes(found)

        return read


@pytest.fixture(scope="module", params=[12, 16, 32])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    tree = {"EFI/Linux/a name that is long.efi": bytes(3000), "loader/x.conf": bytes(600)}
    path = tmp_path_factory.mktemp("fat") / "esp.img"
    make_esp(path, tree, bits=request.param, kib=KIB[request.param], options=["-s", "1"])
    data = path.read_bytes()
    return Image(data, [match.start() for match in re.finditer(rb"[^\0]", data)])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_fat_with_any_bytes_changed_is_read_or_refused_and_nothing_else(
    image: Image, data: st.DataObject
) -> None:
    places = st.one_of(st.sampled_from(image.used), st.integers(11, 70))
    changes = data.draw(st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=12))
    with contextlib.suppress(FatError):
        fat = Fat(image.changed(changes), len(image.data))
        for path, file in islice(walk_few(fat), 30):
            assert path
            for extent in fat.extents(file, MOST):
                assert 0 <= extent.offset < extent.end <= len(image.data)


def walk_few(fat: Fat) -> Iterator[tuple[str, FatEntry]]:
    """The files of the root folder, its folders and theirs: a changed tree may have no bottom."""
    folders: list[FatEntry | None] = [None]
    for _ in range(3):
        inner: list[FatEntry | None] = []
        for folder in folders[:10]:
            for entry in fat.entries(folder):
                if entry.is_folder:
                    inner.append(entry)
                else:
                    yield entry.name, entry
        folders = inner
