# SPDX-License-Identifier: Apache-2.0
"""The integrator's probes: executables of `probes.d/required` and `probes.d/wanted`.

Each runs by its absolute path, without a shell or arguments, with a small environment, in a process
group of its own. Exit code 0 passes. When it ends, at its deadline, or when it prints without end,
the whole group is killed, so that nothing of a probe outlives it. What it prints last is kept for
the verdict. A file that cannot be executed is a probe that failed, not one that is not there.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, cast

from puad.config import Limits
from puad.health.probe import Deadline, ProbeError

_PIECE_BYTES: Final = 1 << 16
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}
_KEPT: Final = frozenset("\n\t")


def find_executables(folder: Path, limits: Limits) -> tuple[Path, ...]:
    """Every probe in a folder, in the order of the names; none when it does not exist.

    Raises:
        ProbeError: The folder cannot be read, or has too many.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ProbeError(f"{folder} cannot be read: {error.strerror}") from error
    if len(paths) > limits.probes:
        raise ProbeError(f"{folder} has {len(paths)} probes, more than {limits.probes}")
    return tuple(paths)


class Executable:
    """One of the integrator's probes.

    Args:
        path: Where it lies.
        limits: Bounds on what it may print and on what is kept of that.
        about: What it may know of this boot, as environment variables.
    """

    def __init__(self, path: Path, limits: Limits, about: dict[str, str]) -> None:
        self._path = path.absolute()
        self._limits = limits
        self._environment = _ENVIRONMENT | about

    def run(self, deadline: Deadline) -> str:
        """Run it to its end or its deadline; return what it printed last.

        Raises:
            ProbeError: It did not end with exit code 0.
        """
        if not (self._path.is_file() and os.access(self._path, os.X_OK)):
            raise ProbeError("it is not an executable file")
        output = Output(self._limits)
        with self._started() as process:
            stopped = _watch(process, output, deadline)
        if stopped:
            raise ProbeError(stopped, log_tail=output.tail)
        if process.returncode:
            raise ProbeError(_how_it_ended(process.returncode), log_tail=output.tail)
        return output.tail

    @contextmanager
    def _started(self) -> Iterator[subprocess.Popen[bytes]]:
        try:
            process = subprocess.Popen(
                [str(self._path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ProbeError(f"it cannot be executed: {error.strerror}") from error
        with process:
            try:
                yield process
            finally:
                # not yet waited for, so its number is still its own
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)


class Output:
    """What a probe has printed: how much, and the last of it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0
        self._last = b""

    def add(self, piece: bytes) -> None:
        """Take what was printed now."""
        self._size += len(piece)
        self._last = (self._last + piece)[-self._limits.probe_tail_bytes :]

    @property
    def is_too_much(self) -> bool:
        """Whether it is more than a probe may print."""
        return self._size > self._limits.probe_output_bytes

    @property
    def tail(self) -> str:
        """The last of it, as text without control characters."""
        text = self._last.decode(errors="replace")
        return "".join(
            c if c.isprintable() or c in _KEPT else "\N{REPLACEMENT CHARACTER}" for c in text
        ).strip()


def _watch(process: subprocess.Popen[bytes], output: Output, deadline: Deadline) -> str:
    """Read until the process ends; the answer is why it must be stopped, or nothing."""
    pipe = cast("IO[bytes]", process.stdout).fileno()
    pidfd = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            selector.register(pipe, selectors.EVENT_READ)
            return _follow(selector, pidfd, pipe, output, deadline)
    finally:
        os.close(pidfd)


def _follow(
    selector: selectors.BaseSelector, pidfd: int, pipe: int, output: Output, deadline: Deadline
) -> str:
    # the end of the pipe would not do: a child that is left behind may hold it open for ever
    while True:
        ready = {key.fd for key, _ in selector.select(deadline.left_s)}
        if pipe in ready:
            piece = os.read(pipe, _PIECE_BYTES)
            output.add(piece)
            if not piece:
                selector.unregister(pipe)
        if output.is_too_much:
            return "it printed more than a probe may"
        if pidfd in ready and pipe not in ready:
            return ""
        if not deadline.left_s:
            return "it did not end in time"


def _how_it_ended(returncode: int) -> str:
    if returncode > 0:
        return f"it ended with exit code {returncode}"
    return f"it was ended by signal {-returncode}, {signal.strsignal(-returncode)}"
