# SPDX-License-Identifier: Apache-2.0
"""The checker from end to end, on the bench's disk: what a write breaks is found, and where."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.powercut.bench.factory import make_factory
from tests.powercut.campaign import check_recording
from tests.powercut.checker import COPIES_DIFFER, Findings
from tests.powercut.recording import Source, Story, open_recording, write_recording
from tests.powercut.write_log import SECTOR
from tests.unit.powercut.logs import Entry, log_bytes, write


class Factory:
    """The bench's disk, and recordings of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.story: Story = make_factory(folder)
        self.recording = open_recording(self.record([]))

    def record(self, requests: list[Entry]) -> Path:
        own = self.folder / "own"
        own.mkdir(exist_ok=True)
        (own / "writes.log").write_bytes(log_bytes(requests))
        write_recording(own, self.story, Source("../disk.raw", "writes.log"))
        return own

    def check(self, requests: list[Entry]) -> Findings:
        """Every state of these requests."""
        return check_recording(open_recording(self.record(requests)), 1000, 1)

    def start(self, region: str) -> int:
        return self.recording.region(region).start

    def sectors_with(self, region: str, data: bytes) -> list[int]:
        """Sectors of a region that begin with this."""
        part = self.recording.region(region)
        content = self.recording.read_before(part.start, part.end - part.start)
        found = range(0, len(content), SECTOR)
        return [part.start + at // SECTOR for at in found if content.startswith(data, at)]


@pytest.fixture(scope="module")
def factory() -> Iterator[Factory]:
    folder = Path(tempfile.mkdtemp(prefix="puad-factory-"))
    yield Factory(folder)
    shutil.rmtree(folder)


def test_check_of_harmless_writes_finds_nothing(factory: Factory) -> None:
    same = factory.recording.read_before(factory.start("esp"), 8)

    found = factory.check([write(factory.start("esp"), same), write(40, b"\0" * 512)])

    assert found.violations == {}
    assert found.states == 5  # nothing, the first, that one torn, both, the second
    assert {sight.booted for sight in found.sights.values()} == {"a"}


def test_check_finds_a_write_to_the_fallback_only_where_it_was_kept(factory: Factory) -> None:
    at = factory.start("a")

    found = factory.check([write(at + 4, b"x" * 1024)])

    names = {name.rpartition(":")[2] for name in found.violations}
    assert "kept" in names
    assert "dropped" not in names
    assert all(
        any(what.startswith("fallback_is_untouched") for what in wrong)
        for wrong in found.violations.values()
    )


def test_check_finds_the_entry_of_an_image_that_is_not_there(factory: Factory) -> None:
    # the other slot is written, and the store knows of no run
    found = factory.check([write(factory.start("b") + 2, b"x" * 512)])

    (wrong,) = found.violations.values()
    said = {what.partition(":")[0] for what in wrong}
    assert {"nothing_unverified_boots", "stored_before_done"} <= said


def test_check_finds_a_fallback_whose_entry_is_spoilt(factory: Factory) -> None:
    (at,) = [
        sector
        for sector in factory.sectors_with("esp", b"title puad, slot a")
        if factory.recording.read_before(sector, 1).count(b"linux")
    ]

    found = factory.check([write(at, bytes(512))])

    (wrong,) = found.violations.values()
    assert any(what.startswith("something_boots") for what in wrong)


def test_check_finds_a_stored_run_that_is_torn(factory: Factory) -> None:
    (at,) = factory.sectors_with("persist", b'{"schema": 1, "state": "IDLE"')

    found = factory.check([write(at, b"{" + bytes(511))])

    (wrong,) = found.violations.values()
    assert any("run.json is torn" in what for what in wrong)


def test_check_finds_a_persistent_partition_that_does_not_mount(factory: Factory) -> None:
    found = factory.check([write(factory.start("persist") + 2, bytes(1024))])

    assert any("does not mount" in what for w in found.violations.values() for what in w)


def test_check_takes_a_table_of_which_one_copy_is_torn(factory: Factory) -> None:
    last = factory.recording.disk_sectors - 1

    for header in (1, last):
        found = factory.check([write(header, bytes(512))])
        assert found.violations == {}
        assert found.harmless[COPIES_DIFFER] == 1

    both = factory.check([write(1, bytes(512)), write(last, bytes(512))])
    assert [name.rpartition(":")[0][-1] for name in both.violations] == ["1"]
