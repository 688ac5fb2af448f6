# SPDX-License-Identifier: Apache-2.0
"""The health process: runs the probes of a new boot and writes the verdict.

It runs once in a boot, before boot-complete.target. Exit code 0 says that the boot is good, 1
that it is bad. Built-in probes are one file each in `puad.health.probes`; the integrator's are the
executables of `probes.d`. The rules of the verdict stand in `puad.core.health`.
"""

from __future__ import annotations

from puad.health.process import main

__all__ = ["main"]
