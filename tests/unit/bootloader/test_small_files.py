# SPDX-License-Identifier: Apache-2.0
"""os-release, durable files and descriptors."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from gi.repository import Gio

from bootloader import systemd_machine
from bootloader.durable import Files
from bootloader.errors import PREFIX, BootloaderError, ErrorName
from bootloader.osrelease import OsRelease, read_os_release
from bootloader.spare_descriptors import has_spare_descriptors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('IMAGE_ID="edge"\nIMAGE_VERSION=13.1\n', OsRelease("edge", "13.1")),
        ("# IMAGE_ID=no\nIMAGE_ID='edge'", OsRelease("edge", "")),
        ('IMAGE_ID="unfinished\nID=debian', OsRelease("", "")),
        ("", OsRelease("", "")),
    ],
)
def test_read_os_release(tmp_path: Path, text: str, expected: OsRelease) -> None:
    (tmp_path / "os-release").write_text(text)
    assert read_os_release(tmp_path / "os-release") == expected


def test_incoming_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    Files().replace(path, b"old")

    def write_and_fail() -> None:
        with Files().incoming(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_incoming_follows_no_link_that_somebody_planted(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"kept")
    (tmp_path / ".file.new").symlink_to(victim)
    Files().replace(path, b"new")
    assert victim.read_bytes() == b"kept"
    assert (path.read_bytes(), path.is_symlink()) == (b"new", False)


def test_write_at_follows_no_link_that_somebody_planted(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"kept")
    path.symlink_to(victim)
    with pytest.raises(BootloaderError) as caught:
        Files().write_at(path, 0, b"new")
    assert caught.value.name is ErrorName.STORAGE_FAILED
    assert victim.read_bytes() == b"kept"


def test_fresh_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"

    def write_and_fail() -> None:
        with Files().fresh(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert not path.exists()


def test_fresh_never_takes_the_place_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(BootloaderError), Files().fresh(path):
        pass
    assert path.read_bytes() == b"old"


def test_write_to_a_full_device_says_no_space() -> None:
    with pytest.raises(BootloaderError) as caught:
        Files().write_at(Path("/dev/full"), 0, b"x")
    assert caught.value.name is ErrorName.NO_SPACE
    assert caught.value.bus_name == f"{PREFIX}NoSpace"
    assert "/dev/full" in str(caught.value)


def test_spare_descriptors_are_told_before_they_are_needed() -> None:
    assert has_spare_descriptors()
    assert has_spare_descriptors()  # none is kept
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, before[1]))
    try:
        assert not has_spare_descriptors()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_systemd_is_not_waited_for_without_spare_descriptors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(*_: object) -> None:
        raise AssertionError("without descriptors GLib ends the process here")

    monkeypatch.setattr(systemd_machine, "has_spare_descriptors", lambda: False)
    monkeypatch.setattr(Gio, "bus_get_sync", end)
    machine = systemd_machine.SystemdMachine()
    assert not machine.is_boot_complete()
    with pytest.raises(BootloaderError, match="too many files are open") as caught:
        machine.request_reboot("why")
    assert caught.value.name is ErrorName.REBOOT_FAILED


def test_remove_of_nothing_is_fine(tmp_path: Path) -> None:
    Files().remove(tmp_path / "none")
