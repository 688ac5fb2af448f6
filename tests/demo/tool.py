# SPDX-License-Identifier: Apache-2.0
"""Tool: one program of the host, run to its end, its output kept for the reader of a failure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.demo.layout import REPOSITORY

_TAIL_LINES = 15


class ToolError(Exception):
    """A program failed: its command and its last lines."""


def run_tool(
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout_s: float = 300,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a program and give its standard output; what it reads stands in no log.

    Raises:
        ToolError: when it ends with another code than 0 or takes too long.
    """
    argv = [str(word) for word in command]
    try:
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{argv[0]} did not end within {timeout_s:.0f} s") from error
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(argv)}\n{done.stdout}{done.stderr}= {done.returncode}\n")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-_TAIL_LINES:])
        raise ToolError(f"{' '.join(argv)} ended with {done.returncode}:\n{tail}")
    return done.stdout
