# SPDX-License-Identifier: Apache-2.0
"""The store: what puad remembers over a power cut and an update, as small JSON documents.

Rules:

1. A document `NAME` is the file `NAME.json`, an object with the number of its `schema`.
2. It is replaced durably as a whole, so that a reader sees the old one or the new one.
3. What cannot be read is an error and never an empty document: the caller must know that memory
   is lost, and turn to the facts.
4. Slots of different releases share it. A document of a higher schema than its writer's keeps
   that number and every top-level key that the writer does not know: the older puad, after a
   fallback, destroys nothing of the newer one's.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any, Final

from puad.bounded_file import read_bounded
from puad.config.limits import Limits
from puad.core.errors import Code, StorageError
from puad.core.model import Verdict
from puad.core.storage import refused_write
from puad.store.durable_file import System, replace_file
from puad.store.verdict_document import dump_verdict, parse_verdict

__all__ = ["HISTORY", "VERDICT", "Store"]

VERDICT: Final = "verdict"
HISTORY: Final = "history"
_HISTORY_SCHEMA: Final = 1
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")


class Store:
    """Documents in one folder of the persistent partition.

    Args:
        folder: The folder; whoever provisions the node makes it.
        limits: Bounds on the size of a document and on the length of the history.
        system: The system calls that change the disk.
    """

    def __init__(
        self, folder: Path, limits: Limits | None = None, system: System | None = None
    ) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._system = system or System()
        self._lock = threading.RLock()

    def read(self, name: str) -> dict[str, Any] | None:
        """A document; None when it was never written.

        Raises:
            StorageError: `STATE_UNREADABLE`, when it is torn, too large or not a document.
        """
        path = self._path(name)
        try:
            document = json.loads(read_bounded(path, self._limits.document_bytes))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, str(error.strerror)) from error
        except (ValueError, RecursionError) as error:
            raise _unreadable(path, "it is not JSON") from error
        if not isinstance(document, dict) or not _is_schema(document.get("schema")):
            raise _unreadable(path, "it is not an object with a schema")
        return document

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Replace a document durably; returns when it is on the medium.

        Raises:
            StorageError: `DISK_FULL` or `STATE_UNWRITABLE`; the old document is kept then.
        """
        if not _is_schema(document.get("schema")):
            raise ValueError(f"the document {name} has no schema")
        path = self._path(name)
        with self._lock:
            data = self._encode(name, document)
            if len(data) > self._limits.document_bytes:
                what = f"the document {name} has {len(data)} bytes, more than may be stored"
                raise StorageError(Code.STATE_UNWRITABLE, what, on=str(path))
            try:
                replace_file(path, data, self._system)
            except OSError as error:
                what = f"the document {name} cannot be written"
                raise refused_write(error, what, on=str(path)) from error

    def write_verdict(self, verdict: Verdict) -> None:
        """Replace the verdict durably.

        Raises:
            StorageError: As `write`.
        """
        self.write(VERDICT, dump_verdict(verdict))

    def read_verdict(self) -> Verdict | None:
        """The last verdict, of whichever boot; None when there was none.

        Raises:
            StorageError: `STATE_UNREADABLE`, when it is torn or not a verdict.
        """
        document = self.read(VERDICT)
        try:
            return None if document is None else parse_verdict(document)
        except ValueError as error:
            raise _unreadable(self._path(VERDICT), str(error)) from error

    def append_history(self, entry: dict[str, Any]) -> None:
        """Add the newest update run; the oldest ones go when there are too many.

        A history that cannot be read is begun anew: it only tells, nothing depends on it.

        Raises:
            StorageError: As `write`.
        """
        with self._lock:
            try:
                old = self.history()
            except StorageError:
                old = []
            entries = [entry, *old][: self._limits.history_entries]
            document = {"schema": _HISTORY_SCHEMA, "entries": entries}
            while len(entries) > 1 and self._is_too_large(HISTORY, document):
                del entries[-max(1, len(entries) // 8) :]
            self.write(HISTORY, document)

    def history(self) -> list[dict[str, Any]]:
        """Past update runs, newest first.

        Raises:
            StorageError: `STATE_UNREADABLE`, when it is torn or not a history.
        """
        document = self.read(HISTORY) or {"entries": []}
        entries = document.get("entries")
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise _unreadable(self._path(HISTORY), "its entries are not a list of objects")
        return entries

    def _encode(self, name: str, document: dict[str, Any]) -> bytes:
        merged = self._merged(name, document)
        # text that a probe printed may hold what UTF-8 cannot
        return json.dumps(merged, ensure_ascii=False, allow_nan=False).encode(errors="replace")

    def _is_too_large(self, name: str, document: dict[str, Any]) -> bool:
        return len(self._encode(name, document)) > self._limits.document_bytes

    def _merged(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """The document, with what a higher schema's writer has left there (rule 4)."""
        try:
            old = self.read(name)
        except StorageError:
            return document  # nothing of it can be kept
        if old is None or old["schema"] <= document["schema"]:
            return document
        return {**old, **document, "schema": old["schema"]}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a document")
        return self._folder / f"{name}.json"


def _is_schema(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _unreadable(path: Path, why: str) -> StorageError:
    return StorageError(Code.STATE_UNREADABLE, f"the document cannot be read: {why}", on=str(path))
