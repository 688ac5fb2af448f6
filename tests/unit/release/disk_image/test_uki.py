# SPDX-License-Identifier: Apache-2.0
"""The reader of unified kernel images."""

from __future__ import annotations

import contextlib
import re
import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_stub.release.disk_image.errors import UkiError
from orchestrator_stub.release.disk_image.uki import read_root_id
from tests.unit.release.disk_image.made_disk import ROOT_ID, make_pe, make_uki, reader


def root_id(data: bytes) -> str | None:
    return read_root_id(reader(data), len(data))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"root=PARTUUID={ROOT_ID} ro", ROOT_ID),
        (f"quiet root=partuuid={ROOT_ID.upper()}\0\0", ROOT_ID),
        (f'rw "root=PARTUUID={ROOT_ID}"\n', ROOT_ID),
        (f"root=/dev/sda1\troot=PARTUUID={ROOT_ID}", ROOT_ID),
        (f"root=PARTUUID={ROOT_ID} root=/dev/mapper/root", None),
        (f"root=PARTUUID={ROOT_ID}/PARTNROFF=1", None),
        (f'x="a root=PARTUUID={ROOT_ID}"', None),
        (f"usr_root=PARTUUID={ROOT_ID}", None),
        ("root=PARTUUID=12345678-01", None),
        ("root=LABEL=rootfs", None),
        ("", None),
        ("\xff", None),
    ],
)
def test_read_root_id_is_the_one_that_the_kernel_takes(line: str, found: str | None) -> None:
    assert root_id(make_uki(line.encode("latin-1"))) == found


def test_read_root_id_without_a_command_line_is_none() -> None:
    assert root_id(make_pe({b".linux": b"kernel"})) is None


def test_read_root_id_of_several_command_lines_must_agree() -> None:
    # A mapping has each name once, so the second one is renamed within the file.
    data = make_pe(
        {b".linux": b"k", b".cmdline": b"root=PARTUUID=" + ROOT_ID.encode(), b".c2": b""}
    )
    again = bytearray(data)
    place = data.index(b".c2")
    again[place : place + 8] = b".cmdline"
    with pytest.raises(UkiError, match="several"):
        root_id(bytes(again))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no EFI program"),
        (b"\x7fELF" + bytes(999), "no EFI program"),
        (b"MZ" + bytes(999), "no EFI program"),
        (make_pe({b".text": b"systemd-boot"}), "no kernel"),
        (make_pe({b".linux": b"k", b".cmdline": b"x" * 70_000}), "command lines have"),
    ],
)
def test_read_root_id_of_another_file_says_what_is_wrong(data: bytes, what: str) -> None:
    with pytest.raises(UkiError, match=what):
        root_id(data)


def test_read_root_id_of_many_long_command_lines_reads_none_of_them() -> None:
    line = b'"' * 60_000
    data = make_pe({b".linux": b"k", b".cmdline": line} | {b".c%05d" % n: line for n in range(9)})
    data = re.sub(rb"\.c0000.", b".cmdline"[:7], data)
    with pytest.raises(UkiError, match="command lines have"):
        root_id(data.replace(b".cmdlin\0", b".cmdline"))


@pytest.mark.parametrize("count", [0, 257, 0xFFFF])
def test_read_root_id_with_a_count_of_sections_out_of_bounds_refuses(count: int) -> None:
    data = bytearray(make_uki())
    struct.pack_into("<H", data, 0x80 + 6, count)
    with pytest.raises(UkiError, match="sections"):
        root_id(bytes(data))


def test_read_root_id_of_a_file_cut_off_anywhere_in_its_sections_refuses() -> None:
    data = make_pe({b".cmdline": b"root=x", b".linux": b"k" * 600})
    for length in range(len(data)):
        with pytest.raises(UkiError):
            root_id(data[:length])
    assert root_id(data) is None


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=40))
def test_read_root_id_with_any_bytes_changed_answers_or_refuses_and_nothing_else(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(make_pe({b".cmdline": b"root=PARTUUID=" + ROOT_ID.encode(), b".linux": b"k"}))
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(UkiError):
        found = root_id(bytes(data))
        assert found is None or str(UUID(found)) == found
