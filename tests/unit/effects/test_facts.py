# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from puad.bootcontrol import BootControl
from puad.config import PathSettings
from puad.core.run import Run
from puad.effects.facts import LONGEST_BOOT_S, FactReader, boot_duration_s
from puad.store import Store


def _started_ago(path: Path, seconds: float) -> Path:
    """An account of a process 1 that started so long ago, under a name that looks like fields."""
    ticks = (time.clock_gettime(time.CLOCK_BOOTTIME) - seconds) * os.sysconf("SC_CLK_TCK")
    path.write_text(f"1 (in) S 9) S {' '.join(['7'] * 18)} {int(ticks)} 1 2 3\n")
    return path


def test_boot_duration_counts_from_the_start_of_process_1(tmp_path: Path) -> None:
    process_1 = _started_ago(tmp_path / "stat", -100)
    assert boot_duration_s(tmp_path / "note", process_1) == 0.0
    process_1 = _started_ago(tmp_path / "stat", 1)
    assert boot_duration_s(tmp_path / "other", process_1) >= 0.9


def test_boot_duration_is_measured_at_the_first_start_only(tmp_path: Path) -> None:
    first = boot_duration_s(tmp_path / "note", _started_ago(tmp_path / "stat", 5))
    again = boot_duration_s(tmp_path / "note", _started_ago(tmp_path / "stat", 500))
    assert again == pytest.approx(first, abs=0.1)


def test_boot_duration_with_process_1_hidden_counts_from_the_kernel(tmp_path: Path) -> None:
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    duration = boot_duration_s(tmp_path / "note", tmp_path / "hidden")
    assert min(up_s, LONGEST_BOOT_S) <= duration <= LONGEST_BOOT_S


def test_boot_duration_of_a_puad_started_late_is_bounded(tmp_path: Path) -> None:
    process_1 = _started_ago(tmp_path / "stat", 10**6)
    assert boot_duration_s(tmp_path / "note", process_1) == LONGEST_BOOT_S


@pytest.mark.parametrize("text", ["", "soon", "nan", "-inf", "1e300"])
def test_boot_duration_with_a_broken_note_stays_in_its_bounds(tmp_path: Path, text: str) -> None:
    (tmp_path / "note").write_text(text)
    process_1 = _started_ago(tmp_path / "stat", 3)
    assert 0.0 <= boot_duration_s(tmp_path / "note", process_1) <= LONGEST_BOOT_S


def test_boot_duration_without_a_place_for_the_note_is_still_told(tmp_path: Path) -> None:
    process_1 = _started_ago(tmp_path / "stat", 3)
    assert boot_duration_s(tmp_path / "absent/note", process_1) >= 3


def test_torn_verdict_is_none_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=1\n")
    (tmp_path / "verdict.json").write_text("{")
    boot_control = SimpleNamespace(
        booted_slot=lambda: "a", primary_slot=lambda: "a", slots=lambda: ()
    )
    paths = PathSettings(os_release=tmp_path / "os-release", run=tmp_path)
    reader = FactReader(cast("BootControl", boot_control), Store(tmp_path), paths)

    assert [reader.read(Run()).verdict for _ in range(3)] == [None] * 3

    assert caplog.text.count("verdict.json") == 1
