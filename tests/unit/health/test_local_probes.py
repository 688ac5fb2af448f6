# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from puad.config import HealthSettings, PathSettings, Settings
from puad.core.model import Assessment, Slot, SlotState
from puad.health.probe import Boot, Deadline, ProbeError
from puad.health.probes import known

_TOO_MUCH_MIB = 1 << 30


def _run(name: str, settings: Settings, *, image_id: str | None = "", profile: str = "") -> str:
    slot = None
    if image_id is not None:
        booted = Slot("b", SlotState.BOOTED, Assessment.INDETERMINATE)
        slot = replace(booted, image_id=image_id, profile=profile)
    return known()[name](Boot(settings, slot)).run(Deadline(time.monotonic() + 60))


def _settings(folder: Path, least_mib: int = 0) -> Settings:
    return replace(
        Settings(),
        paths=PathSettings(persist=folder, os_release=folder / "os-release"),
        health=HealthSettings(min_free_disk_mib=least_mib, min_free_memory_mib=least_mib),
    )


def test_disk_with_room_passes(tmp_path: Path) -> None:
    assert "MiB free" in _run("disk", _settings(tmp_path))


def test_disk_with_less_than_asked_fails(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="less than"):
        _run("disk", _settings(tmp_path, _TOO_MUCH_MIB))


def test_disk_without_the_folder_of_the_store_fails(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="No such file"):
        _run("disk", _settings(tmp_path / "not-mounted"))


def test_memory_enough_passes(tmp_path: Path) -> None:
    assert "available" in _run("memory", _settings(tmp_path))


def test_memory_less_than_asked_fails(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="less than"):
        _run("memory", _settings(tmp_path, _TOO_MUCH_MIB))


@pytest.mark.parametrize("sealed", ["13.2", ""])
def test_image_as_sealed_or_never_sealed_passes(tmp_path: Path, sealed: str) -> None:
    (tmp_path / "os-release").write_text('IMAGE_ID=edge\nIMAGE_VERSION="13.2"\n')
    assert _run("image", _settings(tmp_path), image_id=sealed) == "image 13.2 has booted"


def test_image_of_os_release_behind_a_link_passes(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.2\n")
    (tmp_path / "os-release").symlink_to("real")
    assert "13.2" in _run("image", _settings(tmp_path), image_id="13.2")


def test_image_other_than_sealed_fails_and_names_both(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.1\n")
    with pytest.raises(ProbeError, match=r"13\.1 has booted, but 13\.2 was sealed"):
        _run("image", _settings(tmp_path), image_id="13.2")


def test_image_of_the_sealed_profile_passes(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.2\n")
    assert "13.2" in _run("image", _settings(tmp_path), image_id="13.2", profile="edge")


def test_image_of_another_profile_than_the_sealed_one_fails_and_names_both(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("IMAGE_ID=kiosk\nIMAGE_VERSION=13.2\n")
    with pytest.raises(ProbeError, match=r"profile kiosk has booted, but edge was sealed"):
        _run("image", _settings(tmp_path), image_id="13.2", profile="edge")


@pytest.mark.parametrize(
    "text", ["", "IMAGE_ID=edge\nIMAGE_VERSION=\n", "NAME=x\n", "#" * (65 << 10)]
)
def test_image_without_version_fails(tmp_path: Path, text: str) -> None:
    (tmp_path / "os-release").write_text(text)
    with pytest.raises(ProbeError, match="os-release"):
        _run("image", _settings(tmp_path))


def test_image_without_os_release_fails(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="cannot be read"):
        _run("image", _settings(tmp_path))


def test_image_with_an_unknown_slot_fails(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("IMAGE_ID=edge\nIMAGE_VERSION=13.1\n")
    with pytest.raises(ProbeError, match="which slot"):
        _run("image", _settings(tmp_path), image_id=None)


def test_orchestrator_that_is_not_configured_passes_at_once(tmp_path: Path) -> None:
    assert "no orchestrator" in _run("orchestrator", _settings(tmp_path))
