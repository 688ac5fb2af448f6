# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from puad.boot_id import boot_id

_KERNEL = Path("/proc/sys/kernel/random/boot_id")


def test_boot_id_is_the_kernels(tmp_path: Path) -> None:
    assert boot_id(tmp_path / "note") == _KERNEL.read_text().strip()
    assert not (tmp_path / "note").exists()


@pytest.mark.parametrize("content", [None, "", "soon\n", "x" * 200])
def test_boot_id_that_is_hidden_is_invented_once_for_a_boot(
    tmp_path: Path, content: str | None
) -> None:
    hidden, note = tmp_path / "hidden", tmp_path / "note"
    if content is not None:
        hidden.write_text(content)
    invented = boot_id(note, hidden)
    assert len(invented) == 36
    assert boot_id(note, hidden) == invented
    assert boot_id(tmp_path / "of-another-boot", hidden) != invented


def test_boot_id_without_a_place_for_the_note_is_invented_all_the_same(tmp_path: Path) -> None:
    assert len(boot_id(tmp_path / "absent/note", tmp_path / "hidden")) == 36
    assert len(boot_id(None, tmp_path / "hidden")) == 36


def test_boot_id_in_a_torn_note_is_invented_anew(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_text("12345678-\n")
    invented = boot_id(note, tmp_path / "hidden")
    assert note.read_text().strip() == invented
