# SPDX-License-Identifier: Apache-2.0
"""The integrator's probes: executables of `probes.d/required` and `probes.d/wanted`.

Exit code 0 passes. What one prints last is kept for the verdict. A file that cannot be executed is
a probe that failed, not one that is not there.
"""

from __future__ import annotations

from pathlib import Path

from puad.config import Limits
from puad.executable import Output, executables, run_executable
from puad.health.probe import Deadline, ProbeError


def find_executables(folder: Path, limits: Limits) -> tuple[Path, ...]:
    """Every probe in a folder, in the order of the names; none when it does not exist.

    Raises:
        ProbeError: The folder cannot be read, or has too many.
    """
    try:
        paths = executables(folder)
    except OSError as error:
        raise ProbeError(f"{folder} cannot be read: {error.strerror}") from error
    if len(paths) > limits.probes:
        raise ProbeError(f"{folder} has {len(paths)} probes, more than {limits.probes}")
    return paths


class Executable:
    """One of the integrator's probes.

    Args:
        path: Where it lies.
        limits: Bounds on what it may print and on what is kept of that.
        about: What it may know of this boot, as environment variables.
    """

    def __init__(self, path: Path, limits: Limits, about: dict[str, str]) -> None:
        self._path = path
        self._output = Output(limits.probe_output_bytes, limits.probe_tail_bytes)
        self._about = about

    def run(self, deadline: Deadline) -> str:
        """Run it to its end or its deadline; return what it printed last.

        Raises:
            ProbeError: It did not end with exit code 0.
        """
        ending = run_executable(self._path, self._about, lambda: deadline.left_s, self._output)
        if ending.why:
            raise ProbeError(ending.why, log_tail=ending.tail)
        return ending.tail
