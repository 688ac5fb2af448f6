# SPDX-License-Identifier: Apache-2.0
"""Fragments: the configuration files as they lie on disk, read but not yet understood.

Rules:

1. A folder that does not exist has no fragments. In one that does, the regular files `*.toml` are
   read in the order of their names; other names (editors' copies, READMEs) are not looked at.
2. A symbolic link, a folder or a device of such a name is an error: on a node whose `/etc` is
   read-only the only place where one could appear is the persistent partition.
3. Sizes and numbers are bounded before anything is parsed.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from puad.bounded_file import read_bounded
from puad.core.errors import Code, ConfigError

SUFFIX: Final = ".toml"
MAX_FRAGMENTS: Final = 64
MAX_FRAGMENT_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Fragment:
    """One file: where it lies, and its TOML document."""

    path: Path
    document: dict[str, Any]


def read_folder(folder: Path) -> tuple[Fragment, ...]:
    """Every fragment of a folder, in the order of the names.

    Raises:
        ConfigError: When the folder or one of its fragments cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if _is_fragment(path.name))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _broken(folder, f"the folder cannot be read: {error.strerror}") from error
    if len(paths) > MAX_FRAGMENTS:
        raise _broken(folder, f"it has {len(paths)} files, more than {MAX_FRAGMENTS}")
    return tuple(_read(path) for path in paths)


def _is_fragment(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _read(path: Path) -> Fragment:
    try:
        data = read_bounded(path, MAX_FRAGMENT_BYTES)
    except OSError as error:
        raise _broken(path, str(error.strerror)) from error
    try:
        return Fragment(path, tomllib.loads(data.decode()))
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is not TOML: {error}") from error


def _broken(path: Path, why: str) -> ConfigError:
    return ConfigError(
        Code.CONFIG_INVALID, f"the configuration cannot be read: {why}", on=str(path)
    )
