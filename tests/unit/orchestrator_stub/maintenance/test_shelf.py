# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from orchestrator_stub.maintenance.shelf import Shelf, Shelves
from tests.unit.orchestrator_stub.maintenance.fleet import PROJECT, START_S, Fleet


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The projects whose shelf was read, one after the other."""
    seen: list[str] = []
    read = Shelf.read

    def note(session: object, project_uuid: str, now_s: int) -> Shelf:
        seen.append(project_uuid)
        return read(session, project_uuid, now_s)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Shelf, "read", note)
    return seen


def test_shelf_is_read_once_for_each_revision(fleet: Fleet, reads: list[str]) -> None:
    shelves = Shelves()
    with fleet.database.reading() as session:
        first = shelves.of(session, PROJECT, 1, START_S)
        assert shelves.of(session, PROJECT, 1, START_S) is first
        assert shelves.of(session, PROJECT, 2, START_S) is not first
    assert reads == [PROJECT, PROJECT]


def test_shelf_is_read_once_for_all_who_ask_at_the_same_time(
    fleet: Fleet, reads: list[str]
) -> None:
    shelves, together = Shelves(), Barrier(6)

    def ask(_number: int) -> Shelf:
        with fleet.database.reading() as session:
            together.wait()
            return shelves.of(session, PROJECT, 1, START_S)

    with ThreadPoolExecutor(6) as pool:
        got = set(map(id, pool.map(ask, range(6))))
    assert len(got) == 1
    assert reads == [PROJECT]
