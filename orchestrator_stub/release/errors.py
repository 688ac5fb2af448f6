# SPDX-License-Identifier: Apache-2.0
"""The error tree of the publisher: what happened, on what, and what to do next.

The class decides the exit code (sysexits, as for every program of this project) and the word that
`--json` prints for a machine.
"""

from __future__ import annotations

import os
from typing import ClassVar


class ReleaseError(Exception):
    """Something that the person at the command line can act on.

    Args:
        what: What happened, as a sentence without a full stop.
        on: The file, version or role that it happened on.
        hint: One sentence that says what to do next.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = os.EX_SOFTWARE

    def __init__(self, what: str, *, on: str = "", hint: str = "") -> None:
        super().__init__(what, on, hint)
        self.what = what
        self.on = on
        self.hint = hint

    def __str__(self) -> str:
        where = f" ({self.on})" if self.on else ""
        return f"{self.what}{where}"


class UsageError(ReleaseError):
    """The command line asks for something that does not fit together."""

    code = "usage"
    exit_code = os.EX_USAGE


class InputError(ReleaseError):
    """A file that was given cannot be published as it is."""

    code = "input-invalid"
    exit_code = os.EX_DATAERR


class ConflictError(ReleaseError):
    """This version is already published, with other bytes."""

    code = "already-published"
    exit_code = os.EX_DATAERR


class UnknownReleaseError(ReleaseError):
    """No release has this profile and version."""

    code = "release-unknown"
    exit_code = os.EX_DATAERR


class RepositoryError(ReleaseError):
    """The repository is absent, incomplete, or not signed by its own keys."""

    code = "repository-invalid"
    exit_code = os.EX_DATAERR


class KeyAccessError(ReleaseError):
    """A key cannot be used: absent, open to others, or locked by a passphrase."""

    code = "key-unusable"
    exit_code = os.EX_NOPERM


class WriteError(ReleaseError):
    """The disk refused a read or a write."""

    code = "write-failed"
    exit_code = os.EX_IOERR


class BusyError(ReleaseError):
    """Another publisher is at work on this repository."""

    code = "busy"
    exit_code = os.EX_TEMPFAIL
