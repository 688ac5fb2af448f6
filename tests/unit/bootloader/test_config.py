# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from bootloader.backend import Setup
from bootloader.backends import create
from bootloader.config import SLOT_NAMES, load
from bootloader.errors import ConfigError
from bootloader.tables import Section

FILES = '[files]\na = "/disk/a"\nb = "/disk/b"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "bootloader.toml"
    path.write_text(text)
    return path


def test_load_fills_in_the_defaults(tmp_path: Path) -> None:
    settings = load(write(tmp_path, 'backend = "grub"'))
    assert settings.general.user == "puad"
    assert settings.general.reboot_limit_s == 300
    assert settings.devices.a == "rootfs_a"
    assert settings.files is None


def test_load_reads_file_slots(tmp_path: Path) -> None:
    settings = load(write(tmp_path, f'backend = "simulated"\nreboot_limit_s = 5\n{FILES}'))
    assert settings.files is not None
    assert settings.files.a == Path("/disk/a")
    assert settings.files.root == Path("/")
    assert settings.general.reboot_limit_s == 5


def test_load_leaves_the_section_of_the_back_end_to_the_back_end(tmp_path: Path) -> None:
    path = write(tmp_path, 'backend = "simulated"\n[simulated]\nfirmware = "/disk/firmware"\n')
    section = load(path).backend
    assert (section.table, section.where) == ({"firmware": "/disk/firmware"}, f"{path} [simulated]")
    backend = create("simulated", Setup(SLOT_NAMES, tmp_path), section)
    assert backend.boot_folder("a") == Path("/disk/firmware.d/a")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "firmware is missing"),
        ({"firmwear": "/disk/firmware"}, "did you mean firmware?"),
        ({"firmware": "relative"}, "must be an absolute path"),
        (1, "must be a table"),
    ],
)
def test_create_with_a_wrong_section_says_what_is_wrong(
    tmp_path: Path, table: object, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        create("simulated", Setup(SLOT_NAMES, tmp_path), Section(table, "file [simulated]"))
    assert str(caught.value).endswith(" (file [simulated])")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "backend is missing"),
        ('backend = "x"\nuserr = "y"', "did you mean user?"),
        ('backend = "x"\nzzz = 1', "known are backend"),
        ('backend = "x"\n[device]\n', "did you mean"),
        ("backend = 1", "must be a string"),
        ('backend = "x"\nreboot_limit_s = 0', "must be 1 to 3600"),
        ('backend = "x"\nreboot_limit_s = true', "must be a whole number"),
        ('backend = "x"\nstate = "relative"', "must be an absolute path"),
        ('backend = "x"\nstate = "/a\\u0000b"', "must be a string"),
        ('backend = "x"\nfiles = 1', "must be a table"),
        (f'backend = "x"\n{FILES}[devices]\n', "not both"),
        (f'backend = "x"\n{FILES}c = "/disk/c"', "unknown key c"),
        (f'backend = "x"\n{FILES}firmware = "/disk/firmware"', "unknown key firmware"),
        ('backend = "simulated"\n[grub]\n', "unknown key grub"),
        ('backend = "user"\nuser = 1', "user must be a string"),
        ('backend = "x"\ncommand_line = "{device}"', "knows {slot}"),
        ('backend = "x"\ncommand_line = "{slot!r}"', "knows {slot}"),
        ('backend = "x"\ncommand_line = "{"', "no template"),
        ('backend = "x"\ncommand_line = "a\\nb"', "one line"),
        ("backend = ", "not TOML"),
        ("#" * 70_000, "larger than"),
    ],
)
def test_load_of_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_load_of_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none")
