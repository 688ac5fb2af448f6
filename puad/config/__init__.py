# SPDX-License-Identifier: Apache-2.0
"""Configuration: TOML drop-ins of the image, the integrator and the node, made into settings.

Four steps, one module each: *fragments* are read from disk, held to the *scope* of their folder,
*merged* into one input for each key, and *validated* into `Settings`. The folders are read in the
order of `STANDARD_DIRS`; later wins.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from puad.config.fragments import read_folder
from puad.config.limits import Limits
from puad.config.merge import merge
from puad.config.scope import EVERYTHING, STANDARD, Scope, admitted
from puad.config.settings import (
    HealthSettings,
    NodeSettings,
    PaceSettings,
    PathSettings,
    ReleaseSettings,
    ServerSettings,
    Settings,
    UpdateSettings,
)
from puad.config.validate import KINDS, validate
from puad.core.errors import Code, ConfigError

__all__ = [
    "DEFAULT_ORIGIN",
    "STANDARD_DIRS",
    "Entry",
    "HealthSettings",
    "Limits",
    "Loaded",
    "NodeSettings",
    "PaceSettings",
    "PathSettings",
    "ReleaseSettings",
    "ServerSettings",
    "Settings",
    "UpdateSettings",
    "add_dir_option",
    "chosen_dirs",
    "load",
]

STANDARD_DIRS: Final = tuple(STANDARD)
DEFAULT_ORIGIN: Final = "default"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as `puadctl config show` prints it: a JSON value, and the file that set it."""

    key: str
    value: str | int | list[str]
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and the origin of each key: a file's path, or `default`."""

    settings: Settings
    origins: Mapping[str, str]

    def entries(self) -> Iterator[Entry]:
        """Every key with its effective value and origin, section by section."""
        for name, origin in self.origins.items():
            section, key = name.split(".")
            value: Any = getattr(getattr(self.settings, section), key)
            yield Entry(name, _shown(value), origin)


def _shown(value: Any) -> Any:  # noqa: ANN401 - a key's value, as JSON has it
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def load(dirs: Sequence[Path] = STANDARD_DIRS, scopes: Mapping[Path, Scope] = STANDARD) -> Loaded:
    """Read and validate the configuration.

    Args:
        dirs: The folders with fragments; a later one wins.
        scopes: What the fragments of a folder may say; of one that is not listed, everything.

    Raises:
        ConfigError: `CONFIG_INVALID`, naming the file, the key and what is allowed.
    """
    inputs = merge(
        admitted(fragment, scopes.get(folder, EVERYTHING))
        for folder in dirs
        for fragment in read_folder(folder)
    )
    settings = validate(inputs)
    origins = {
        f"{section}.{key}": inputs[section, key].origin
        if (section, key) in inputs
        else DEFAULT_ORIGIN
        for section, kinds in KINDS.items()
        for key in kinds
    }
    return Loaded(settings, origins)


def add_dir_option(parser: argparse.ArgumentParser) -> None:
    """Give a program `--config-dir`; `chosen_dirs` says what `load` takes then."""
    parser.add_argument(
        "--config-dir",
        action="append",
        type=Path,
        metavar="DIR",
        help="read the configuration from DIR only; may be repeated, a later one wins",
    )


def chosen_dirs(arguments: argparse.Namespace) -> Sequence[Path]:
    """The folders that `--config-dir` names, else the standard ones, each of which may be absent.

    Raises:
        ConfigError: `CONFIG_INVALID`, when a named one is absent.
    """
    named: list[Path] = arguments.config_dir or []
    for folder in named:
        if not folder.is_dir():
            what = f"there is no folder {folder}"
            raise ConfigError(Code.CONFIG_INVALID, what, on="--config-dir")
    return named or STANDARD_DIRS
