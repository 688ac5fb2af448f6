# SPDX-License-Identifier: Apache-2.0
"""The boot loader back ends, one file each; a file that is dropped in here is found.

Every module of this package is imported, and the configured name is looked up in the result: a name
from a file never becomes an import of a root service.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from bootloader.backend import Backend, Setup
from bootloader.errors import ConfigError
from bootloader.tables import Section, read_table


def known() -> Mapping[str, type[Backend]]:
    """Every back end by its name."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return dict(sorted(Backend.registry.items()))


def create(name: str, setup: Setup, section: Section) -> Backend:
    """The back end of that name.

    Args:
        name: Its name.
        setup: What every back end is given.
        section: The section of its name.

    Raises:
        ConfigError: When there is none, or it cannot follow its section.
    """
    found = known().get(name)
    if found is None:
        what = f"unknown back end {name}; known are {', '.join(known())}"
        raise ConfigError(what, on=section.where)
    return found(setup, read_table(found.options, section.table, section.where))
