# SPDX-License-Identifier: Apache-2.0
"""Tool: one program of the host, run to its end, its output kept for the reader of a failure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.demo.layout import REPOSITORY

_TAIL_LINES = 15
_FAREWELL_S = 30


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
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv,
        cwd=REPOSITORY,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        try:
            out, complaints = process.communicate(stdin, timeout=timeout_s)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                what = f"{argv[0]} did not end within {timeout_s:.0f} s"
                raise ToolError(what) from error
            raise
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(argv)}\n{out}{complaints}= {process.returncode}\n")
    if process.returncode:
        tail = "\n".join((out + complaints).splitlines()[-_TAIL_LINES:])
        raise ToolError(f"{' '.join(argv)} ended with {process.returncode}:\n{tail}")
    return out


def _end(process: subprocess.Popen[str]) -> None:
    """Let it take its own mounts and files away before it is killed."""
    process.terminate()
    try:
        process.wait(_FAREWELL_S)  # not for its output, which what it has started may keep open
    except subprocess.TimeoutExpired:
        process.kill()
