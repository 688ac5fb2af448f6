# SPDX-License-Identifier: Apache-2.0
"""The one place that runs other programs: absolute path, list of arguments, a limit, no shell."""

from __future__ import annotations

import subprocess
from typing import Final

from bootloader.errors import BootloaderError, ErrorName

_LIMIT_S: Final = 60
_SHOWN: Final = 400


def run(*argv: str) -> None:
    """Run a program to its end.

    Raises:
        BootloaderError: `StorageFailed`, with what it said, when it fails or takes too long.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BootloaderError(ErrorName.STORAGE_FAILED, f"it did not run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[:_SHOWN]
        raise BootloaderError(ErrorName.STORAGE_FAILED, said or "it failed", on=argv[0])
