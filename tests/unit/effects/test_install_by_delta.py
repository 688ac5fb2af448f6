# SPDX-License-Identifier: Apache-2.0
"""Installing with deltas on offer: which are taken, and that the active slot is always closed."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from puad.bootcontrol import BootControl
from puad.config import Limits
from puad.core.delta import Delta
from puad.core.errors import BootControlError, Code, PuadError
from puad.core.manifest import Manifest
from puad.core.model import Assessment, Facts, Offer, Slot, SlotState
from puad.core.run import Goal
from puad.download.folder import FolderOrigin
from puad.download.repository import ReleaseRepository
from puad.effects.install import Installer
from puad.effects.watch import Watch
from tests.unit.download.signed_repository import NOW, SignedRepository
from tests.unit.images.published_image import publish
from tests.unit.writer.published_delta import publish_delta

CHUNK = 4096
SIZE = 40 * CHUNK
OLD = random.Random(1).randbytes(SIZE)
NEW = b"".join(b"new" + OLD[start + 3 : start + CHUNK] for start in range(0, SIZE, CHUNK))
PUBLISHED = publish("raw.zst", NEW, CHUNK)
DELTA = publish_delta(PUBLISHED, OLD)
PATH = PUBLISHED.release.path


class FileControl(BootControl):
    """Boot control of two files, which notes what is open."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.active, self.inactive = folder / "a", folder / "b"
        self.active.write_bytes(OLD)
        self.inactive.write_bytes(bytes(SIZE))
        self.opened: list[int] = []
        self.opens_active = True
        self.sealed = ""

    def disarm(self, slot: str) -> None:
        assert slot == "b"

    def open_inactive(self, slot: str) -> int:
        assert slot == "b"
        return self._open(self.inactive, os.O_RDWR)

    def open_active(self) -> int:
        if not self.opens_active:
            raise BootControlError(Code.BOOT_CONTROL_REFUSED, "not now", on="OpenActive")
        return self._open(self.active, os.O_RDONLY)

    def seal(
        self,
        slot: str,
        roots: Sequence[bytes],
        targets: bytes,
        target_path: str,
        index: bytes = b"",
        progress: Callable[[int], None] = lambda _done: None,
    ) -> None:
        assert index
        self.sealed = target_path

    def _open(self, path: Path, flags: int) -> int:
        self.opened.append(os.open(path, flags))
        return self.opened[-1]

    def left_open(self) -> list[str]:
        """The files of the slots that are still open."""
        places = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
        return [p for p in places if p in {str(self.active), str(self.inactive)}]


def delta(name: str, from_version: str = "13.0") -> Delta:
    return Delta(from_version, "ab" * 32, f"edge/13.1/{name}.dzst", f"edge/13.1/{name}.dzst.idx")


class Rig:
    def __init__(self, folder: Path) -> None:
        self.repository = SignedRepository(folder / "published")
        self.repository.add(f"{PATH}.idx", PUBLISHED.index.dump())
        self.control = FileControl(folder)
        self.watch = Watch()
        self.persist = folder / "persist"
        self.persist.mkdir()
        self.facts = Facts(
            "boot", "a", "a", "13.0", "edge",
            tuple(
                Slot(name, state, Assessment.GOOD, size_bytes=SIZE)
                for name, state in (("a", SlotState.BOOTED), ("b", SlotState.INACTIVE))
            ),
        )  # fmt: skip

    def add(self, made: Delta, file: bytes = DELTA.file, index: bytes | None = None) -> None:
        self.repository.add(made.path, file)
        self.repository.add(made.index, DELTA.index.dump() if index is None else index)

    def install(self, *deltas: Delta) -> Manifest:
        manifest = replace(PUBLISHED.release.manifest, index=f"{PATH}.idx", deltas=deltas)
        self.repository.add(PATH, PUBLISHED.file, manifest.dump())
        self.repository.publish()
        root = self.persist / "root.json"
        root.write_bytes(self.repository.root_file.read_bytes())
        folder = os.open(self.repository.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            opened = ReleaseRepository(
                FolderOrigin(folder),
                cache=self.persist / "cache",
                trust_root=root,
                limits=Limits(),
                reference_time=NOW,
            )
            opened.refresh()
            offer = Offer(PATH, "13.1", PUBLISHED.release.file_hash, "edge")
            goal = Goal("run-1", offer, "b", NOW)
            installer = Installer(self.control, self.persist, Limits(), self.watch)
            return installer.install(goal, opened, self.facts, None)
        finally:
            os.close(folder)


@pytest.fixture
def rig(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Rig]:
    caplog.set_level(logging.INFO)
    rig = Rig(tmp_path)
    yield rig
    assert rig.control.left_open() == []


def assert_installed(rig: Rig) -> None:
    assert rig.control.inactive.read_bytes() == NEW
    assert rig.control.sealed == PATH


def test_delta_from_the_booted_image_is_used(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    other, fitting = delta("other", "12.9"), delta("fitting")
    rig.add(fitting)
    rig.install(other, fitting)
    assert_installed(rig)
    assert "fetching 0.0 MiB by the delta from 13.0 (full: 0.2 MiB" in caplog.text
    assert f"fetched {len(DELTA.file)}, {len(DELTA.file)} of them of the delta" in caplog.text


def test_delta_from_another_image_opens_nothing(rig: Rig) -> None:
    rig.install(delta("other", "12.9"))
    assert_installed(rig)
    assert len(rig.control.opened) == 1


def test_delta_that_an_export_lacks_is_no_warning(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.install(delta("absent"))
    assert_installed(rig)
    assert "the delta from 13.0 is left out" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_delta_with_a_broken_index_is_left_out_with_a_warning(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    broken, cut, good = delta("broken"), delta("cut"), delta("good")
    rig.add(broken, index=b"{}")
    rig.add(cut, file=DELTA.file[:-1])
    rig.add(good)
    rig.install(broken, cut, good)
    assert_installed(rig)
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 2
    assert all(text.startswith("the delta from 13.0 is left out: ") for text in warned)
    assert "by the delta from 13.0" in caplog.text


def test_index_that_cannot_be_had_leaves_the_delta_out(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    made = delta("gone")
    rig.add(made)
    rig.repository.place(made.index).unlink()
    rig.install(made)
    assert_installed(rig)
    assert "the delta from 13.0 is left out" in caplog.text


def test_active_slot_that_is_not_opened_leaves_deltas_out(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.add(delta("good"))
    rig.control.opens_active = False
    rig.install(delta("good"))
    assert_installed(rig)
    assert "the active slot cannot be read" in caplog.text


def test_active_slot_is_closed_when_the_write_fails(rig: Rig) -> None:
    rig.add(delta("good"))
    rig.control.inactive = Path("/dev/full")
    with pytest.raises(PuadError):
        rig.install(delta("good"))
    assert len(rig.control.opened) == 2
    assert rig.control.sealed == ""
