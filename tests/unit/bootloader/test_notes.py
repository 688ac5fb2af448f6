# SPDX-License-Identifier: Apache-2.0
"""The notes on disk, which services of different releases share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootloader.durable import Files
from bootloader.errors import BootloaderError, ErrorName
from bootloader.notes import FILE_NAME, SCHEMA, NoteBook, Notes, SealNote

NEWER: dict[str, Any] = {
    "schema": SCHEMA + 1,
    "version_floor": "13.0",
    "time_floor": "2026-01-01T00:00:00Z",
    "root": {"version": 3, "sha256": "0" * 64},
    "sealed": {},
    "further_floor": {"a": [1, 2]},
}


@pytest.fixture
def notebook(tmp_path: Path) -> NoteBook:
    return NoteBook(tmp_path, Files())


def stored(folder: Path) -> Any:
    return json.loads((folder / FILE_NAME).read_text())


def test_older_service_keeps_what_a_newer_one_wrote(notebook: NoteBook, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(NEWER))
    notes = notebook.read()
    notebook.write(Notes("13.1", notes.time_floor, notes.root))
    assert stored(tmp_path) == {**NEWER, "version_floor": "13.1"}


def test_newer_service_raises_the_schema_and_keeps_unknown_keys(
    notebook: NoteBook, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps({**NEWER, "schema": SCHEMA - 1}))
    notebook.write(Notes())
    assert stored(tmp_path)["schema"] == SCHEMA
    assert stored(tmp_path)["further_floor"] == NEWER["further_floor"]


def test_first_notes_have_the_schema(notebook: NoteBook, tmp_path: Path) -> None:
    notebook.write(Notes("13.1"))
    assert stored(tmp_path)["schema"] == SCHEMA
    assert notebook.read() == Notes("13.1")


def test_seal_of_an_older_service_has_no_profile(notebook: NoteBook, tmp_path: Path) -> None:
    seal = {"image_id": "13.1", "min_version": None}
    (tmp_path / FILE_NAME).write_text(json.dumps({**NEWER, "sealed": {"b": seal}}))
    assert notebook.read().sealed == {"b": SealNote("13.1", None, "")}
    notebook.write(Notes(sealed={"b": SealNote("13.2", None, "edge")}))
    assert notebook.read().sealed == {"b": SealNote("13.2", None, "edge")}


def test_schema_that_is_no_number_cannot_be_read(notebook: NoteBook, tmp_path: Path) -> None:
    text = json.dumps({**NEWER, "schema": "2"})
    (tmp_path / FILE_NAME).write_text(text)
    for use in (notebook.read, lambda: notebook.write(Notes())):
        with pytest.raises(BootloaderError) as caught:
            use()
        assert caught.value.name is ErrorName.STORAGE_FAILED
    assert (tmp_path / FILE_NAME).read_text() == text
