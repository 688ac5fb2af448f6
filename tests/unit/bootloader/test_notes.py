# SPDX-License-Identifier: Apache-2.0
"""The notes on disk, which services of different releases share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
    "ran": {"a": "13.0"},
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
    notebook.write(Notes("13.1", notes.time_floor, notes.root, ran=notes.ran))
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


BAD_WORDS = [
    {"version_floor": "\ud800"},
    {"version_floor": 13},
    {"root": {"version": 3, "sha256": "\ud800"}},
    {"sealed": {"b": {"image_id": "\ud800", "min_version": None}}},
    {"sealed": {"b": {"image_id": "13.1\n", "min_version": None}}},
    {"sealed": {"b": {"image_id": 13, "min_version": None}}},
    {"sealed": {"b": {"image_id": "13.1", "min_version": "\ud800"}}},
    {"sealed": {"b": {"image_id": "13.1", "min_version": None, "profile": "\0"}}},
]


@pytest.mark.parametrize("changes", BAD_WORDS)
def test_notes_with_what_is_no_word_of_a_manifest_cannot_be_read(
    notebook: NoteBook, tmp_path: Path, changes: dict[str, Any]
) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(NEWER | changes))
    with pytest.raises(BootloaderError, match="cannot be read") as caught:
        notebook.read()
    assert caught.value.name is ErrorName.STORAGE_FAILED


def plant_pipe(path: Path) -> None:
    os.mkfifo(path)


def plant_link(path: Path) -> None:
    other = path.with_name("other.json")
    other.write_text(json.dumps(NEWER))
    path.symlink_to(other)


def plant_long_file(path: Path) -> None:
    path.write_text(json.dumps(NEWER) + " " * (64 << 10))


@pytest.mark.parametrize("plant", [plant_pipe, plant_link, plant_long_file, Path.mkdir])
def test_notes_that_are_no_short_regular_file_cannot_be_read(
    notebook: NoteBook, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / FILE_NAME)
    with pytest.raises(BootloaderError) as caught:
        notebook.read()
    assert (caught.value.name, caught.value.on) == (
        ErrorName.STORAGE_FAILED,
        str(tmp_path / FILE_NAME),
    )


def test_notes_of_an_older_service_do_not_say_what_ran(notebook: NoteBook, tmp_path: Path) -> None:
    older = {name: value for name, value in NEWER.items() if name != "ran"}
    (tmp_path / FILE_NAME).write_text(json.dumps(older))
    assert notebook.read().ran == {}


def test_schema_that_is_no_number_cannot_be_read(notebook: NoteBook, tmp_path: Path) -> None:
    text = json.dumps({**NEWER, "schema": "2"})
    (tmp_path / FILE_NAME).write_text(text)
    for use in (notebook.read, lambda: notebook.write(Notes())):
        with pytest.raises(BootloaderError) as caught:
            use()
        assert caught.value.name is ErrorName.STORAGE_FAILED
    assert (tmp_path / FILE_NAME).read_text() == text
