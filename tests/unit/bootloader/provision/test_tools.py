# SPDX-License-Identifier: Apache-2.0
"""The programs that are run: looked for first, and what they say when they fail."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from bootloader.command import SEARCH_PATH
from bootloader.provision.refusal import ProvisionError
from bootloader.provision.repart import Job, require_repart, run_repart
from bootloader.provision.tools import find_tool, require_file_system_tools
from tests.unit.bootloader.provision.fake_tools import FakeTools


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    return FakeTools(tmp_path / "bin", monkeypatch)


def job(folder: Path, empty: str = "require") -> Job:
    disk = folder / "disk"
    disk.write_bytes(bytes(4096))
    return Job(
        disk=disk,
        definitions=folder,
        empty=empty,
        seed=uuid.UUID(int=1),
        offline=True,
        scratch=folder,
    )


def test_tool_is_looked_for_where_the_system_has_it() -> None:
    assert find_tool("wipefs").name == "wipefs"
    assert SEARCH_PATH.split(":")[0] == "/usr/sbin"


@pytest.mark.parametrize(
    ("there", "formats", "missing", "package"),
    [
        ((), {"vfat"}, "mkfs.vfat", "dosfstools"),
        (("mkfs.vfat",), {"vfat"}, "mcopy", "mtools"),
        (("mkfs.vfat", "mcopy"), {"vfat", "ext4"}, "mkfs.ext4", "e2fsprogs"),
    ],
)
def test_tool_that_is_missing_is_named_with_its_package(
    fake: FakeTools, there: tuple[str, ...], formats: set[str], missing: str, package: str
) -> None:
    for name in there:
        fake.add(name)
    with pytest.raises(ProvisionError) as caught:
        require_file_system_tools(formats, offline=True)
    assert str(caught.value) == f"it is not installed ({missing})"
    assert caught.value.hint == f"install the package {package}"
    assert caught.value.code == os.EX_UNAVAILABLE


def test_mcopy_is_needed_only_where_nothing_is_mounted(fake: FakeTools) -> None:
    fake.add("mkfs.vfat")
    require_file_system_tools({"vfat", "erofs"}, offline=False)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("systemd 252 (252.39-1~deb12u2)", "its version is 252, and 254 is needed"),
        ("busybox", "its version is unknown"),
    ],
)
def test_repart_that_is_too_old_is_refused(fake: FakeTools, said: str, why: str) -> None:
    fake.add("systemd-repart", f"echo '{said}'")
    with pytest.raises(ProvisionError, match=why) as caught:
        require_repart()
    assert "Debian 13" in caught.value.hint
    assert caught.value.code == os.EX_UNAVAILABLE


def test_repart_that_is_new_enough_passes(fake: FakeTools) -> None:
    fake.add("systemd-repart", "echo 'systemd 254'")
    require_repart()


def test_repart_that_is_missing_is_refused(fake: FakeTools) -> None:
    assert not fake.names()
    with pytest.raises(ProvisionError, match=r"it is not installed \(systemd-repart\)"):
        require_repart()


def test_repart_that_cannot_run_is_a_failure(fake: FakeTools) -> None:
    fake.add("systemd-repart").write_text("#!/nonexistent\n")
    with pytest.raises(ProvisionError, match="it did not run") as caught:
        require_repart()
    assert caught.value.code == os.EX_OSERR


def test_partitions_that_do_not_fit_are_refused_with_what_to_change(
    fake: FakeTools, tmp_path: Path
) -> None:
    fake.add(
        "systemd-repart",
        """
        echo 'No machine ID set, using randomized partition UUIDs.' >&2
        echo "Can't fit requested partitions into available free space (3.9G), refusing." >&2
        echo 'Automatically determined minimal disk image size as 8.7G.' >&2
        exit 1
        """,
    )
    with pytest.raises(ProvisionError) as caught:
        run_repart(job(tmp_path), dry_run=True)
    assert caught.value.code == os.EX_CANTCREAT
    assert str(caught.value) == (
        "the partitions do not fit: Can't fit requested partitions into available free space"
        f" (3.9G), refusing. ({tmp_path}/disk)"
    )
    assert caught.value.hint.startswith("give a larger disk or --size")
    with pytest.raises(ProvisionError) as caught:
        run_repart(job(tmp_path, "refuse"), dry_run=True)
    assert "the disk is too small for slot b" in caught.value.hint


def test_repart_that_fails_is_quoted_with_its_last_line_only(
    fake: FakeTools, tmp_path: Path
) -> None:
    fake.add("systemd-repart", "echo first >&2; echo last >&2; echo >&2; exit 1")
    with pytest.raises(ProvisionError, match=r"^systemd-repart failed: last \(.*disk\)$") as caught:
        run_repart(job(tmp_path), dry_run=False)
    assert caught.value.code == os.EX_IOERR


def test_repart_that_says_nothing_or_nonsense_is_a_failure(fake: FakeTools, tmp_path: Path) -> None:
    fake.add("systemd-repart", "exit 1")
    with pytest.raises(ProvisionError, match="it says no more"):
        run_repart(job(tmp_path), dry_run=True)
    fake.add("systemd-repart", "echo nonsense")
    with pytest.raises(ProvisionError, match="answer cannot be read") as caught:
        run_repart(job(tmp_path), dry_run=True)
    assert caught.value.code == os.EX_SOFTWARE
