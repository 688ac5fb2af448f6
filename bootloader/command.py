# SPDX-License-Identifier: Apache-2.0
"""The one place that runs other programs: absolute path, list of arguments, a limit, no shell."""

from __future__ import annotations

import subprocess
from typing import Final

from bootloader.errors import BootloaderError, ErrorName

_LIMIT_S: Final = 60.0
_KILLED_S: Final = 1.0
_SHOWN: Final = 400
_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def run(*argv: str, limit_s: float = _LIMIT_S) -> str:
    """Run a program to its end; what it wrote.

    Raises:
        BootloaderError: `StorageFailed`, with what it said, when it fails or takes too long.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BootloaderError(ErrorName.STORAGE_FAILED, f"it did not run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[:_SHOWN]
        raise BootloaderError(ErrorName.STORAGE_FAILED, said or "it failed", on=argv[0])
    return done.stdout.decode("utf-8", "replace")


def try_within(limit_s: float, *argv: str) -> int | None:
    """Run a program that may hang; its exit code, or None when it did not end well in time.

    Nothing is waited for beyond the limit, not even the end of a program that cannot be killed.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
        )
    except OSError:
        return None
    for patience_s in (limit_s, _KILLED_S):
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
        else:
            return None if code < 0 else code
    return None
