# SPDX-License-Identifier: Apache-2.0
"""The boot loader back ends, one file each; a file that is dropped in here is found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from bootloader.backend import Backend


def known() -> Mapping[str, type[Backend]]:
    """Every back end by its name."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(Backend.registry.items()))
