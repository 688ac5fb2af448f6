# SPDX-License-Identifier: Apache-2.0
"""The node of the benchmarks: one install in a process of its own, and boot control in another."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measured import Used
from tests.bench.node.installing import Task
from tests.demo.layout import REPOSITORY


@dataclass(frozen=True, slots=True)
class Installed:
    """What an install took.

    Attributes:
        written: Up to the moment when the image is on the medium, every chunk checked.
        sealed_s: Up to the moment when boot control has read it back; the same when nobody seals.
        seal: What boot control took for itself; None when nobody seals.
    """

    written: Used
    sealed_s: float
    seal: Used | None = None


def install(task: Task) -> Installed:
    """Install once, in processes that are ready when the clock starts.

    Raises:
        RuntimeError: When a process fails; with what it said.
    """
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(Process.started("installing", json.dumps(_dump(task))))
        service = None
        if task.is_sealed:
            words = (task.device, task.trust_root, task.persist)
            service = stack.enter_context(Process.started("sealing", *words))
            service.hear("ready")
        node.hear("ready")
        started = time.monotonic()
        node.say("go")
        node.hear("written")
        written_s = time.monotonic() - started
        seal = None
        if service is not None:
            service.say("go")
            seal = _used(service.hear("done"))
            node.say("sealed")
        sealed_s = time.monotonic() - started
        used = node.hear("done")
    return Installed(Used(written_s, used["cpu_s"], used["peak_mib"]), sealed_s, seal)


@contextlib.contextmanager
def started(task: Task) -> Iterator[Process]:
    """An install that has begun, for somebody who will not let it go to its end."""
    with Process.started("installing", json.dumps(_dump(task))) as node:
        node.hear("ready")
        node.say("go")
        yield node


@dataclass
class Process:
    """A process that speaks line by line."""

    process: subprocess.Popen[str]

    @classmethod
    @contextlib.contextmanager
    def started(cls, module: str, *words: str) -> Iterator[Process]:
        argv = [sys.executable, "-m", f"tests.bench.node.{module}", *words]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY) as process:
            try:
                yield cls(process)
            except BaseException:
                process.kill()
                raise

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def hear(self, word: str) -> dict[str, Any]:
        """The next line, which begins with that word; what follows it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(word):
            raise RuntimeError(f"{self.process.args!r} said {line!r} in place of {word}")
        found: dict[str, Any] = json.loads(line.removeprefix(word).strip() or "{}")
        return found


def _used(found: dict[str, Any]) -> Used:
    return Used(found["seconds"], found["cpu_s"], found["peak_mib"])


def _dump(task: Task) -> dict[str, Any]:
    return {one.name: getattr(task, one.name) for one in dataclasses.fields(task)}


def fresh(folder: Path) -> Path:
    """An empty persistent folder."""
    number = sum(1 for _ in folder.glob("persist-*"))
    made = folder / f"persist-{number}"
    made.mkdir(parents=True)
    return made
