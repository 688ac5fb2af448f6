# SPDX-License-Identifier: Apache-2.0
"""Probe `disk`: the persistent partition is there and has room."""

from __future__ import annotations

from typing import Final

import psutil

from puad.health.probe import Deadline, Probe, ProbeError

_MIB: Final = 1 << 20


class Disk(Probe, name="disk"):
    """Free space in the folder of the store."""

    def run(self, deadline: Deadline) -> str:  # noqa: ARG002 - asking the kernel takes no time
        """Compare with health.min_free_disk_mib."""
        folder = self.boot.settings.paths.persist
        least = self.boot.settings.health.min_free_disk_mib
        try:
            free = psutil.disk_usage(str(folder)).free // _MIB
        except OSError as error:
            raise ProbeError(f"{folder} cannot be looked at: {error.strerror}") from error
        if free < least:
            raise ProbeError(f"{folder} has {free} MiB free, less than {least}")
        return f"{folder} has {free} MiB free"
