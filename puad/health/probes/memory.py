# SPDX-License-Identifier: Apache-2.0
"""Probe `memory`: there is memory left."""

from __future__ import annotations

from typing import Final

import psutil

from puad.health.probe import Deadline, Probe, ProbeError

_MIB: Final = 1 << 20


class Memory(Probe, name="memory"):
    """Memory that processes can still get without swapping."""

    def run(self, deadline: Deadline) -> str:  # noqa: ARG002 - asking the kernel takes no time
        """Compare with health.min_free_memory_mib."""
        least = self.boot.settings.health.min_free_memory_mib
        available = psutil.virtual_memory().available // _MIB
        if available < least:
            raise ProbeError(f"{available} MiB of memory are available, less than {least}")
        return f"{available} MiB of memory are available"
