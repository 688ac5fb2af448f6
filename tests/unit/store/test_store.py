# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from puad.config import Limits
from puad.core.errors import Code, StorageError
from puad.store import Store
from puad.store.durable_file import System


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_read_document_never_written_is_none(store: Store) -> None:
    assert store.read("state") is None


def test_read_folder_absent_is_none(tmp_path: Path) -> None:
    assert Store(tmp_path / "not-mounted").read("state") is None


def test_write_then_read_gives_the_document(store: Store, tmp_path: Path) -> None:
    document = {"schema": 1, "run": {"id": "r1"}, "text": "Zürich \x00 \n"}
    store.write("state", document)
    assert store.read("state") == document
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_write_text_that_is_no_unicode_does_not_fail(store: Store) -> None:
    store.write("state", {"schema": 1, "name": os.fsdecode(b"\xff")})
    assert store.read("state") == {"schema": 1, "name": "?"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"schema": 1, "run": {"i',
        bytes(64),
        b"[]",
        b"7",
        b"{}",
        b'{"schema": "1"}',
        b'{"schema": true}',
        b'{"schema": 0}',
        b'{"schema": 1, "a": "\xff"}',
        b'{"schema": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"schema": 1, "a": "' + b"a" * (2 << 20) + b'"}',
    ],
)
def test_read_torn_document_is_unreadable_and_can_be_replaced(
    store: Store, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "state.json").write_bytes(data)
    with pytest.raises(StorageError) as caught:
        store.read("state")
    assert caught.value.code is Code.STATE_UNREADABLE
    assert caught.value.on == str(tmp_path / "state.json")
    store.write("state", {"schema": 1})
    assert store.read("state") == {"schema": 1}


def test_read_document_behind_a_link_is_refused_and_the_link_is_not_written_through(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"schema": 1}')
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "state.json").symlink_to(secret)
    (folder / ".state.json.new").symlink_to(secret)
    store = Store(folder)
    with pytest.raises(StorageError, match="symbolic link"):
        store.read("state")
    store.write("state", {"schema": 1, "run": "r1"})
    assert secret.read_text() == '{"schema": 1}'
    assert store.read("state") == {"schema": 1, "run": "r1"}


def test_write_newer_then_older_then_newer_keeps_what_only_the_newer_knows(store: Store) -> None:
    store.write("state", {"schema": 2, "run": "r1", "floor": "3", "carbon": {"g": 7}})
    # the fallback boots an image whose puad knows schema 1 only
    assert (store.read("state") or {})["run"] == "r1"
    store.write("state", {"schema": 1, "run": "r2", "floor": "3"})
    expected = {"schema": 2, "run": "r2", "floor": "3", "carbon": {"g": 7}}
    assert store.read("state") == expected
    # and again: the number stays, so that the key survives any number of writes
    store.write("state", {"schema": 1, "run": "r3", "floor": "3"})
    assert (store.read("state") or {})["carbon"] == {"g": 7}
    # the newer one takes its document back and drops the key
    store.write("state", {"schema": 2, "run": "r4"})
    assert store.read("state") == {"schema": 2, "run": "r4"}


def test_write_of_the_same_or_a_higher_schema_drops_old_keys(store: Store) -> None:
    store.write("state", {"schema": 1, "a": 1})
    store.write("state", {"schema": 1, "b": 1})
    assert store.read("state") == {"schema": 1, "b": 1}
    store.write("state", {"schema": 2, "c": 1})
    assert store.read("state") == {"schema": 2, "c": 1}


def test_write_document_without_schema_is_a_bug(store: Store) -> None:
    with pytest.raises(ValueError, match="no schema"):
        store.write("state", {"run": "r1"})


@pytest.mark.parametrize("name", ["", "../state", "state.json", "a/b", "State", "."])
def test_name_that_is_no_name_is_a_bug(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="name of a document"):
        store.read(name)


def test_write_document_that_could_not_be_read_again_is_refused(store: Store) -> None:
    store.write("state", {"schema": 1, "run": "r1"})
    with pytest.raises(StorageError) as caught:
        store.write("state", {"schema": 1, "run": "r" * (2 << 20)})
    assert caught.value.code is Code.STATE_UNWRITABLE
    assert store.read("state") == {"schema": 1, "run": "r1"}


class FailingSystem(System):
    """Fails one kind of call with one error."""

    def __init__(self, call: str, number: int) -> None:
        self._call = call
        self._number = number

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name == self._call:
            raise OSError(self._number, os.strerror(self._number))
        return super().__getattribute__(name)


@pytest.mark.parametrize("call", ["create", "write", "sync", "rename", "sync_folder", "remove"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.DISK_FULL),
        (errno.EDQUOT, Code.DISK_FULL),
        (errno.EROFS, Code.STATE_UNWRITABLE),
        (errno.EIO, Code.STATE_UNWRITABLE),
    ],
)
def test_write_system_call_fails_is_told_and_leaves_nothing_torn(
    tmp_path: Path, call: str, number: int, code: Code
) -> None:
    Store(tmp_path).write("state", {"schema": 1, "run": "old"})
    with pytest.raises(StorageError) as caught:
        Store(tmp_path, system=FailingSystem(call, number)).write("state", {"schema": 1})
    assert caught.value.code is code
    assert os.strerror(number) in str(caught.value)
    # after the rename it is the new one already
    expected = {"schema": 1} if call == "sync_folder" else {"schema": 1, "run": "old"}
    assert Store(tmp_path).read("state") == expected
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


class FullAndStuckSystem(FailingSystem):
    """The disk is full, and then nothing can be removed either."""

    def remove(self, path: Path) -> None:
        if path.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_write_disk_full_is_told_even_when_tidying_up_fails(tmp_path: Path) -> None:
    store = Store(tmp_path, system=FullAndStuckSystem("write", errno.ENOSPC))
    with pytest.raises(StorageError) as caught:
        store.write("state", {"schema": 1})
    assert caught.value.code is Code.DISK_FULL


def test_write_folder_absent_is_unwritable(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        Store(tmp_path / "not-mounted").write("state", {"schema": 1})
    assert caught.value.code is Code.STATE_UNWRITABLE


_FILL_THE_DISK = """
import pathlib, subprocess, sys
from puad.core.errors import StorageError
from puad.store import Store
folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
store = Store(folder)
store.write("state", {"schema": 1, "run": "old"})
ballast = (folder / "ballast").open("wb", buffering=0)
try:
    while ballast.write(bytes(4096)):
        pass
except OSError:
    ballast.close()
try:
    store.write("state", {"schema": 1, "run": "n" * 8192})
except StorageError as error:
    print(error.code, store.read("state"), sorted(path.name for path in folder.iterdir()))
(folder / "ballast").unlink()
store.write("state", {"schema": 1, "run": "new"})
print(store.read("state"))
"""


def test_write_on_a_full_file_system_is_disk_full_and_works_again_with_room(
    tmp_path: Path,
) -> None:
    unshare = [shutil.which("unshare") or "unshare", "--mount", "--map-root-user"]
    done = subprocess.run(
        [*unshare, sys.executable, "-c", _FILL_THE_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        "disk-full {'schema': 1, 'run': 'old'} ['ballast', 'state.json']",
        "{'schema': 1, 'run': 'new'}",
    ], done.stderr


def test_history_is_newest_first_and_bounded(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits(history_entries=3))
    assert store.history() == []
    for number in range(5):
        store.append_history({"run": number})
    assert [entry["run"] for entry in store.history()] == [4, 3, 2]


def test_history_too_large_loses_the_oldest_entries_and_never_the_newest(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits(document_bytes=4096))
    for number in range(40):
        store.append_history({"run": number, "log": "x" * 200})
    runs = [entry["run"] for entry in store.history()]
    assert runs[0] == 39
    assert 10 < len(runs) < 20


def test_history_one_entry_too_large_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path, Limits(document_bytes=1024))
    with pytest.raises(StorageError):
        store.append_history({"log": "x" * 2000})


def test_history_torn_is_unreadable_and_begun_anew_by_the_next_run(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "history.json").write_text('{"schema": 1, "entr')
    with pytest.raises(StorageError):
        store.history()
    store.append_history({"run": 1})
    assert store.history() == [{"run": 1}]


@pytest.mark.parametrize("entries", ["7", "[7]", "{}"])
def test_history_of_wrong_form_is_unreadable(store: Store, tmp_path: Path, entries: str) -> None:
    (tmp_path / "history.json").write_text(f'{{"schema": 1, "entries": {entries}}}')
    with pytest.raises(StorageError) as caught:
        store.history()
    assert caught.value.code is Code.STATE_UNREADABLE


def test_history_of_a_newer_puad_keeps_its_entries_whole(store: Store, tmp_path: Path) -> None:
    newer = {"schema": 2, "entries": [{"run": 1, "carbon": 7}], "totals": {"runs": 1}}
    (tmp_path / "history.json").write_text(json.dumps(newer))
    store.append_history({"run": 2})
    assert store.history() == [{"run": 2}, {"run": 1, "carbon": 7}]
    assert (store.read("history") or {})["totals"] == {"runs": 1}


def test_append_history_from_two_threads_loses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def append() -> None:
        for _ in range(20):
            store.append_history({"run": 0})

    threads = [threading.Thread(target=append) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.history()) == 40
