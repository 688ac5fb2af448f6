# SPDX-License-Identifier: Apache-2.0
"""Complaints: what went wrong and what to do next, as the programs say it on standard error."""

from __future__ import annotations

import sys


def complain(program: str, error: object, hint: str = "") -> None:
    """Say `PROGRAM: what (on)`, and below it the hint, if there is one."""
    lines = [f"{program}: {error}", f"hint: {hint}" if hint else ""]
    sys.stderr.write("".join(f"{line}\n" for line in lines if line))
    sys.stderr.flush()
