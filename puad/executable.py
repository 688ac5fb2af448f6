# SPDX-License-Identifier: Apache-2.0
"""An executable of the integrator, a probe or a hook: run by its absolute path, and bounded.

It gets no shell, no arguments, a small environment, and a process group of its own. When it ends,
at its deadline, or when it prints without end, the whole group is killed, so that nothing of it
outlives it. What it prints last is kept.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from puad.core.printable import printable

_PIECE_BYTES: Final = 1 << 16
_LOOK_EVERY_S: Final = 1.0
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}


@dataclass(frozen=True, slots=True)
class Output:
    """Bounds on what it prints: more than `most_bytes` stops it, `tail_bytes` of it are kept."""

    most_bytes: int
    tail_bytes: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended.

    Attributes:
        exit_code: Its exit code; None when it was ended by a signal, stopped or never began.
        why: Why that is no success, in words; empty for exit code 0.
        tail: What it printed last.
    """

    exit_code: int | None
    why: str
    tail: str = ""


def executables(folder: Path) -> tuple[Path, ...]:
    """Every file in a folder but hidden ones, in the order of the names; none without the folder.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        return tuple(sorted(p for p in folder.iterdir() if not p.name.startswith(".")))
    except FileNotFoundError:
        return ()


def run_executable(
    path: Path, about: dict[str, str], left_s: Callable[[], float], output: Output
) -> Ending:
    """Run it to its end or its deadline.

    Args:
        path: Where it lies.
        about: What it may know, as environment variables.
        left_s: How long it has from now; asked again and again, 0 stops it.
        output: Bounds on what it prints.
    """
    path = path.absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        return Ending(None, "it is not an executable file")
    printed = _Printed(output)
    try:
        with _started(path, about) as process:
            stopped = _watch(process, printed, left_s)
    except OSError as error:
        return Ending(None, f"it cannot be executed: {error.strerror}")
    if stopped:
        return Ending(None, stopped, printed.tail)
    code = process.returncode
    if code < 0:
        why = f"it was ended by signal {-code}, {signal.strsignal(-code)}"
        return Ending(None, why, printed.tail)
    return Ending(code, f"it ended with exit code {code}" if code else "", printed.tail)


@contextmanager
def _started(path: Path, about: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_ENVIRONMENT | about,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            # not yet waited for, so its number is still its own
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


class _Printed:
    """What it has printed: how much, and the last of it."""

    def __init__(self, bounds: Output) -> None:
        self._bounds = bounds
        self._size = 0
        self._last = b""

    def add(self, piece: bytes) -> None:
        """Take what was printed now."""
        self._size += len(piece)
        self._last = (self._last + piece)[-self._bounds.tail_bytes :]

    @property
    def is_too_much(self) -> bool:
        """Whether it is more than it may print."""
        return self._size > self._bounds.most_bytes

    @property
    def tail(self) -> str:
        """The last of it, as text without control characters."""
        return printable(self._last.decode(errors="replace"), kept="\n\t").strip()


def _watch(process: subprocess.Popen[bytes], printed: _Printed, left_s: Callable[[], float]) -> str:
    """Read until the process ends; the answer is why it must be stopped, or nothing."""
    pipe = cast("IO[bytes]", process.stdout).fileno()
    pidfd = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            selector.register(pipe, selectors.EVENT_READ)
            return _follow(selector, pidfd, pipe, printed, left_s)
    finally:
        os.close(pidfd)


def _follow(
    selector: selectors.BaseSelector,
    pidfd: int,
    pipe: int,
    printed: _Printed,
    left_s: Callable[[], float],
) -> str:
    # the end of the pipe would not do: a child that is left behind may hold it open for ever
    while True:
        ready = {key.fd for key, _ in selector.select(min(left_s(), _LOOK_EVERY_S))}
        if pipe in ready:
            piece = os.read(pipe, _PIECE_BYTES)
            printed.add(piece)
            if not piece:
                selector.unregister(pipe)
        if printed.is_too_much:
            return "it printed more than it may"
        if pidfd in ready and pipe not in ready:
            return ""
        if not left_s():
            return "it did not end in time"
