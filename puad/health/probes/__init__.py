# SPDX-License-Identifier: Apache-2.0
"""The built-in probes, one module each; a new file here is a new probe."""

from __future__ import annotations

import importlib
import pkgutil

from puad.health.probe import Probe


def known() -> dict[str, type[Probe]]:
    """Every built-in probe by its name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return Probe.registry
