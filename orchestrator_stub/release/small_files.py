# SPDX-License-Identifier: Apache-2.0
"""The small files of a release: boot files and documents, copied into it and hashed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Final

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.draft import DOCUMENTS, Draft
from orchestrator_stub.release.errors import InputError
from orchestrator_stub.release.inputs import opened
from orchestrator_stub.release.release import ReleaseFile
from orchestrator_stub.release.written_file import new_file
from puad.core.boot_file import MAX_BOOT_FILE_BYTES

_MAX_DOCUMENT_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 1 << 20


def take_small_files(draft: Draft, folder: Path) -> tuple[ReleaseFile, ...]:
    """Copy a draft's boot files and documents into the folder of its release.

    Raises:
        InputError: When one cannot be read, is empty, too large, or a document without JSON.
        WriteError: When the disk refuses it.
    """
    boot = [
        _take(draft.boot_files[kind], folder, path, MAX_BOOT_FILE_BYTES)
        for path, kind in draft.boot_paths.items()
    ]
    documents = [
        _take_document(source, folder, draft.path(DOCUMENTS[key]))
        for key, source in sorted(draft.documents.items())
    ]
    return (*boot, *documents)


def write_small_file(folder: Path, path: str, data: bytes) -> ReleaseFile:
    """Write a file of a release, given its target path.

    Raises:
        WriteError: When the disk refuses it.
    """
    with new_file(folder, path) as file:
        file.write(data)
    return file.release_file()


def small_file(path: str, data: bytes) -> ReleaseFile:
    """A file of a release with these bytes."""
    return ReleaseFile(path, len(data), hashlib.sha256(data).hexdigest())


def _take_document(source: Path, folder: Path, path: str) -> ReleaseFile:
    """Copy a document into the release, and refuse it there when no reader could parse it."""
    document = _take(source, folder, path, _MAX_DOCUMENT_BYTES)
    copy = folder / path.rpartition("/")[2]
    with translated(copy):
        data = copy.read_bytes()
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "the document is not JSON", on=str(source), hint=f"Correct it: {error}."
        ) from error
    return document


def _take(source: Path, folder: Path, path: str, most: int) -> ReleaseFile:
    """Copy a small file into the release, hashing the bytes that are written."""
    with opened(source) as reader, new_file(folder, path) as file:
        while piece := os.read(reader, _PIECE_BYTES):
            file.write(piece)
            if file.size > most:
                raise InputError(f"the file is larger than {most} bytes", on=str(source))
    if file.size == 0:
        raise InputError("the file is empty", on=str(source))
    return file.release_file()
