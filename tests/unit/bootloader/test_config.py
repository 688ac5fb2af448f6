# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from bootloader.config import load
from bootloader.errors import ConfigError

FILES = '[files]\na = "/disk/a"\nb = "/disk/b"\nfirmware = "/disk/firmware"\n'


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
    assert settings.files.firmware == Path("/disk/firmware")
    assert settings.files.root == Path("/")
    assert settings.general.reboot_limit_s == 5


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
