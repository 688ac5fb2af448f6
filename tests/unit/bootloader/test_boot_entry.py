# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from bootloader.boot_entry import EntryName, format_text, parse_name, parse_text
from bootloader.slot import BootFileKind

LINUX_TEXT = """\
title puad, slot b
sort-key 00-puad
version 0000000012
options root=PARTUUID=1 ro puad.slot=b
initrd /puad/b/initrd
linux /puad/b/linux
"""
UKI_TEXT = """\
title puad, slot a
sort-key 00-puad
version 0000000001
efi /puad/a/uki
"""


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("puad-a.conf", EntryName("a")),
        ("puad-b+3.conf", EntryName("b", 3)),
        ("puad-b+2-1.conf", EntryName("b", 2, 1)),
        ("puad-b+0-3.conf", EntryName("b", 0, 3)),
        ("PUAD-B+0-3.CONF", EntryName("b", 0, 3)),
        ("puad-b+.conf", EntryName("b", readable=False)),
        ("puad-b+x.conf", EntryName("b", readable=False)),
        ("puad-b+3-.conf", EntryName("b", readable=False)),
        ("puad-b+1+2.conf", EntryName("b", readable=False)),
        ("puad-b+99999999999999999999.conf", EntryName("b", readable=False)),
        ("debian.conf", None),
        ("puad-b.conf.new", None),
        (".puad-b.conf", None),
        ("puad-.conf", None),
        ("my-puad-b.conf", None),
        ("", None),
    ],
)
def test_parse_name_knows_ours_from_others(name: str, parsed: EntryName | None) -> None:
    assert parse_name(name) == parsed


@pytest.mark.parametrize("name", ["puad-a.conf", "puad-b+3.conf", "puad-b+2-1.conf"])
def test_name_reads_back_as_it_was_written(name: str) -> None:
    assert str(parse_name(name)) == name


def test_format_text_of_a_kernel_with_its_initrd() -> None:
    kinds = [BootFileKind.LINUX, BootFileKind.INITRD]
    text = format_text("b", kinds, "root=PARTUUID=1 ro puad.slot=b", 12)
    assert text.decode() == LINUX_TEXT


def test_format_text_of_a_uki_that_keeps_its_own_command_line() -> None:
    assert format_text("a", [BootFileKind.UKI], "", 1).decode() == UKI_TEXT


def test_every_torn_begin_of_a_text_names_nothing_to_boot() -> None:
    text = LINUX_TEXT.encode()
    for length in range(len(text) - len("/puad/b/linux\n")):
        assert parse_text(text[:length]).loader is None
        assert parse_text(text[:length].ljust(len(text), b"\0")).loader is None
    assert parse_text(text).loader is BootFileKind.LINUX
    assert parse_text(text).generation == 12


@pytest.mark.parametrize("data", [b"", b"\xff" * 600, b"\0" * 600, b"version x\nlinux \n"])
def test_parse_text_of_rubbish_says_nothing(data: bytes) -> None:
    assert parse_text(data).generation == 0
    assert parse_text(data).loader is None
