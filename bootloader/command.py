# SPDX-License-Identifier: Apache-2.0
"""The one place that runs other programs: absolute path, list of arguments, a limit, no shell."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bootloader.errors import BootloaderError, ErrorName

_LIMIT_S: Final = 60.0
_KILLED_S: Final = 1.0
_SHOWN: Final = 400
SEARCH_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT: Final = MappingProxyType({"LC_ALL": "C", "PATH": SEARCH_PATH})


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has come to its end.

    Attributes:
        code: Its exit code; negative for a signal.
        output: What it wrote to standard output.
        complaint: What it wrote to standard error.
    """

    code: int
    output: str
    complaint: str


def finish(
    *argv: str, limit_s: float, environment: Mapping[str, str] = MappingProxyType({})
) -> Finished:
    """Run a program to its end, whatever that is.

    Args:
        argv: The program and its arguments.
        limit_s: How long it may take.
        environment: Variables beside those that every program gets.

    Raises:
        OSError: When it does not run; a TimeoutError when it takes too long.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**_ENVIRONMENT, **environment},
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it takes longer than {limit_s:g} s") from error
    output, complaint = (data.decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return Finished(done.returncode, output, complaint)


def run(*argv: str, limit_s: float = _LIMIT_S) -> str:
    """Run a program that is to succeed; what it wrote.

    Raises:
        BootloaderError: `StorageFailed`, with what it said, when it fails or takes too long.
    """
    try:
        done = finish(*argv, limit_s=limit_s)
    except OSError as error:
        what = f"it did not run to its end: {error}"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=argv[0]) from error
    if done.code:
        what = done.complaint.strip()[:_SHOWN] or "it failed"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what, on=argv[0])
    return done.output


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
