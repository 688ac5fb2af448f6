# SPDX-License-Identifier: Apache-2.0
"""A measured command: how long it took, and what it used of processor and memory.

GNU time starts the command, because the kernel counts the memory of whoever starts it as well: of
this process that would be more than the memory of most commands.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tests.demo.layout import REPOSITORY

_TIME: Final = "/usr/bin/time"
_KIB_PER_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Used:
    """What an operation took.

    Attributes:
        seconds: From start to end.
        cpu_s: Processor time of all its processes.
        peak_mib: Resident memory at the highest; of a pipeline, the sum over its commands.
    """

    seconds: float
    cpu_s: float
    peak_mib: float


def run_measured(
    command: Sequence[str | Path],
    *,
    source: Path | None = None,
    target: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Used:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        source: Its standard input.
        target: Its standard output.
        env: What is added to the environment.

    Raises:
        RuntimeError: When it fails; with the end of what it said.
    """
    return run_pipeline([command], source=source, target=target, env=env)


def run_pipeline(
    commands: Sequence[Sequence[str | Path]],
    *,
    source: Path | None = None,
    target: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Used:
    """Run commands, each reading what the one before writes (see `run_measured`)."""
    with tempfile.TemporaryDirectory(prefix="puad-measured-") as name:
        folder = Path(name)
        started = time.monotonic()
        processes = _start(commands, folder, source, target, env)
        codes = [process.wait() for process in processes]
        seconds = time.monotonic() - started
        if any(codes):
            said = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.said"))
            raise RuntimeError(f"{commands} ended with {codes}:\n{said[-3000:]}")
        rows = [(folder / f"{number}.used").read_text().split() for number in range(len(commands))]
    cpu_s = sum(float(user) + float(system) for user, system, _ in rows)
    return Used(seconds, cpu_s, sum(int(kib) for *_, kib in rows) / _KIB_PER_MIB)


def _start(
    commands: Sequence[Sequence[str | Path]],
    folder: Path,
    source: Path | None,
    target: Path | None,
    env: Mapping[str, str] | None,
) -> list[subprocess.Popen[bytes]]:
    processes: list[subprocess.Popen[bytes]] = []
    taken: IO[bytes] = (source or Path(os.devnull)).open("rb")
    for number, command in enumerate(commands):
        is_last = number == len(commands) - 1
        said = (folder / f"{number}.said").open("wb")
        given: IO[bytes] | int = subprocess.PIPE
        if is_last:
            given = target.open("wb") if target else said
        argv = [_TIME, "--quiet", "-f", "%U %S %M", "-o", folder / f"{number}.used", *command]
        process = subprocess.Popen(
            argv,
            stdin=taken,
            stdout=given,
            stderr=said,
            cwd=REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        )
        processes.append(process)
        for file in (taken, said, *([given] if not isinstance(given, int) else [])):
            file.close()
        if process.stdout is not None:
            taken = process.stdout
    return processes
