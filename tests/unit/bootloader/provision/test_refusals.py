# SPDX-License-Identifier: Apache-2.0
"""What puad-provision refuses, run as its command line is; nothing is ever written then.

systemd-repart is a program of the tests: it plans what a test says, and may write nothing.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from bootloader.kernel_command_line import MAX_LENGTH
from bootloader.provision.refusal import DOCUMENT
from tests.unit.bootloader.provision.fake_tools import MIB
from tests.unit.bootloader.provision.given import Given


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
    assert given.run("--size", "16M") == os.EX_CANTCREAT
    assert given.disk.stat().st_size == before


def test_file_of_another_size_is_wrong_usage_and_keeps_its_size(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    assert given.run("--size", "64M") == os.EX_USAGE
    error = capsys.readouterr().err
    assert "it has 16777216 bytes already, and --size says 67108864 (" in error
    assert "hint: leave --size away" in error
    assert given.disk.stat().st_size == 16 << 20


@pytest.mark.parametrize("data", [b"a letter to my landlord\n", bytes(4000) + os.urandom(96)])
def test_file_that_holds_what_nobody_knows_is_refused_and_left_alone(
    given: Given, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    given.disk.write_bytes(data)
    assert given.run() == os.EX_CANTCREAT
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
        command: list[str | Path] = ["/usr/bin/findmnt", "-no", "SOURCE", mounted]
        given.disk = Path(subprocess.check_output(command, text=True).strip())
        assert given.run("--wipe") == os.EX_CANTCREAT
        assert f"it is in use ({given.disk})\nhint: unmount" in capsys.readouterr().err
    finally:
        subprocess.run(["/usr/bin/umount", mounted], check=True)


def test_disk_that_is_not_there_is_refused_with_how_to_make_a_file(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given.run() == os.EX_CANTCREAT
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(f"No such file or directory ({given.disk})")
    assert second == "hint: give --size to make a file"


def test_image_larger_than_a_slot_is_refused_before_a_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given.run("--size", "64M", "--slot-size", "4K") == os.EX_CANTCREAT
    error = capsys.readouterr().err
    assert "does not fit in a slot of 4096 (" in error
    assert "hint: give a larger --slot-size" in error
    assert not given.disk.exists()


def test_input_that_is_not_there_is_named_and_no_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    (given.folder / "linux").unlink()
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    told = f"it cannot be read: No such file or directory ({given.folder}/linux)"
    assert told in capsys.readouterr().err
    assert not given.disk.exists()


def test_configuration_with_an_error_is_named(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    (given.folder / "config").write_text('backend = "systemd-boot"\nuzer = "x"\n')
    assert given.run("--size", "64M") == os.EX_CONFIG
    assert "unknown key uzer; did you mean user?" in capsys.readouterr().err


def test_command_line_that_the_kernel_would_cut_is_refused_before_a_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "puad.slot={slot} " + "x" * (MAX_LENGTH - len("puad.slot=a "))
    given.write("config", f'backend = "systemd-boot"\ncommand_line = "{line}"\n'.encode())
    assert given.run("--size", "64M", "--dry-run") == os.EX_OK
    assert given.run("--size", "64M", "--factory") == os.EX_CONFIG
    error = capsys.readouterr().err
    assert "the kernel command line has 2101 characters" in error
    assert "(bootloader.toml)" in error
    assert "shorten its command_line" in error
    assert not given.disk.exists()


@pytest.mark.parametrize("loader", ["u-boot", "grub"])
def test_back_end_whose_loader_is_not_known_is_refused(
    given: Given, capsys: pytest.CaptureFixture[str], loader: str
) -> None:
    given.write("config", f'backend = "{loader}"\n'.encode())
    files = ["--root-image", str(given.folder / "root"), "--linux", str(given.folder / "linux")]
    code = given.main(*files, "--size", "64M")
    error = capsys.readouterr().err
    if loader == "grub":
        assert code == os.EX_USAGE
        assert f"make one with grub-mkimage, see {DOCUMENT}," in error
    else:
        assert code == os.EX_CANTCREAT
        assert f"hint: it knows grub, systemd-boot; see {DOCUMENT}" in error
    assert not given.disk.exists()


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"rootfs_a": 4096}, "an image of 5120 bytes does not fit in a slot of 4096"),
        ({"rootfs_b": 2 * MIB}, "slot a would get 4194304 bytes and slot b 2097152"),
    ],
)
def test_slots_that_do_not_do_are_refused_after_planning(
    given: Given, capsys: pytest.CaptureFixture[str], sizes: dict[str, int], why: str
) -> None:
    given.plan(**sizes)
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    error = capsys.readouterr().err
    assert why in error
    assert "hint: give " in error
    assert not given.disk.exists()


def test_image_that_was_cut_is_refused_before_a_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.write("root", b"image" * 1000)
    assert given.run("--size", "64M") == os.EX_CANTCREAT
    error = capsys.readouterr().err
    assert f"its 5000 bytes are no multiple of 512 ({given.folder}/root)\nhint: give the" in error
    assert not given.disk.exists()


def test_disk_is_not_wiped_when_the_second_plan_fails(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank()
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", given.disk], check=True)
    before = given.disk.read_bytes()
    given.plan('case "$*" in */repart.d*) echo "no CopyBlocks" >&2; exit 1;; esac')
    assert given.run("--wipe") == os.EX_CANTCREAT
    assert "systemd-repart failed: no CopyBlocks" in capsys.readouterr().err
    assert given.disk.read_bytes() == before


def test_plan_is_made_without_the_image_that_would_make_a_slot_larger(given: Given) -> None:
    seen = given.folder / "seen"
    look = f'--definitions=*) grep -r = "${{word#*=}}" >{seen};;'
    given.plan(f"for word; do case $word in {look} esac; done")
    assert given.run("--size", "64M", "--dry-run") == os.EX_OK
    assert "UUID=" in seen.read_text()
    assert "CopyBlocks=" not in seen.read_text()


def test_repart_that_is_too_old_is_told_before_anything_else(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.tools.add("systemd-repart", "echo systemd 252")
    (given.folder / "linux").unlink()
    assert given.run("--size", "64M") == os.EX_UNAVAILABLE
    assert "its version is 252, and 254 is needed" in capsys.readouterr().err


def test_user_who_is_not_root_is_refused_before_a_file_is_made(
    given: Given, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert given.run("--size", "64M") == os.EX_NOPERM
    assert "puad-provision: it needs root" in capsys.readouterr().err
    assert not given.disk.exists()
    given.blank()
    assert given.main("--first-boot") == os.EX_NOPERM
    assert given.run("--dry-run") == os.EX_OK


def test_disk_that_only_root_may_write_is_refused(
    given: Given, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def refuse(path: object, *more: int) -> int:
        if path == given.disk:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(str(path), *more)

    given.blank()
    monkeypatch.setattr(os, "open", refuse)
    assert given.run("--factory") == os.EX_NOPERM
    error = capsys.readouterr().err
    assert f"cannot be written: Permission denied ({given.disk})\nhint: run puad-pro" in error


def test_error_as_json_says_what_and_whether_anything_was_written(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    assert given.run("--json") == os.EX_CANTCREAT
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": 1,
        "changed": False,
        "error": {
            "code": "refused",
            "text": f"it cannot be used: No such file or directory ({given.disk})",
            "hint": "give --size to make a file",
            "exit_code": os.EX_CANTCREAT,
        },
    }
    assert given.run("--json", "--size", "64M") == os.EX_IOERR
    document = json.loads(capsys.readouterr().out)
    assert document["changed"] is None
    assert document["error"]["text"] == f"systemd-repart failed: written ({given.disk})"
    (given.folder / "config").unlink()
    assert given.run("--json") == os.EX_CONFIG
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "config-invalid"


def test_bug_is_exit_code_70_with_its_trace(
    given: Given, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("bootloader.provision.blank_disk.provision", stumble)
    assert given.run("--json") == os.EX_SOFTWARE
    said = capsys.readouterr()
    assert "Traceback" in said.err
    assert f"ZeroDivisionError: of all things ({given.disk})\nhint: this is a bug" in said.err
    assert json.loads(said.out)["error"]["code"] == "internal"
    assert json.loads(said.out)["changed"] is None


def test_first_boot_with_nothing_missing_changes_nothing(
    given: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    given.blank(64 << 20)
    table = "label: gpt\n" + "".join(
        f"size=4M, name={label}\n" for label in ("esp", "rootfs_a", "rootfs_b", "persist")
    )
    subprocess.run(["/usr/sbin/sfdisk", "-q", given.disk], input=table.encode(), check=True)
    before = given.disk.read_bytes()
    assert given.main("--first-boot", "--json") == os.EX_OK
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
    assert given.main("--first-boot") == os.EX_CANTCREAT
    assert why in capsys.readouterr().err
    assert given.disk.read_bytes() == before
