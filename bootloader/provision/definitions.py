# SPDX-License-Identifier: Apache-2.0
"""Definitions: what systemd-repart is to make, as a folder of repart.d(5) files for one run.

They are the integrator's own (`/usr/lib/puad/repart.d`), found by their `Label=`, and beside each
a drop-in with what belongs to this disk: its PARTUUID, size and contents.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.provision.refusal import ProvisionError

STANDARD_FOLDER: Final = Path("/usr/lib/puad/repart.d")
_DROP_IN: Final = "50-puad.conf"


@dataclass(frozen=True, slots=True)
class Contents:
    """What one partition gets, beyond its definition.

    Attributes:
        part_id: Its PARTUUID.
        size: Its size in bytes; 0 leaves the definition's.
        blocks: A file that is copied into it as it is.
        tree: A folder whose contents its file system begins with.
    """

    part_id: uuid.UUID
    size: int = 0
    blocks: Path | None = None
    tree: Path | None = None


def write_definitions(
    source: Path,
    target: Path,
    contents: Mapping[str, Contents],
    *,
    left_out: Iterable[str] = (),
    there: Iterable[str] = (),
) -> None:
    """Write the definitions of this run.

    systemd-repart takes a partition for the first definition of its type (repart.d(5)), so those of
    the partitions that exist come first, in the order of the disk.

    Args:
        source: The integrator's definitions.
        target: The folder to make.
        contents: What each partition gets, by its label.
        left_out: Labels of partitions that this run does not make.
        there: Labels of partitions that exist, in the order of the disk.

    Raises:
        ProvisionError: When the definitions cannot be read, or lack one of these labels.
    """
    found = _by_label(source)
    missing = set(contents) - set(found)
    if missing:
        raise ProvisionError(
            f"no definition has Label={min(missing)}",
            on=source,
            hint="the labels must be those of the [devices] section of bootloader.toml",
        )
    target.mkdir()
    ordered = dict.fromkeys([*(label for label in there if label in found), *found])
    for number, label in enumerate(ordered):
        if label not in left_out:
            path = target / f"{number:03}-{found[label].name}"
            _write_definition(found[label], path, contents.get(label))


def known_labels(source: Path) -> set[str]:
    """The labels of all definitions, the integrator's own among them.

    Raises:
        ProvisionError: When the definitions cannot be read.
    """
    return set(_by_label(source))


def file_systems(source: Path, labels: Iterable[str]) -> set[str]:
    """The `Format=` of the partitions with these labels, for those that have one.

    Raises:
        ProvisionError: When the definitions cannot be read.
    """
    wanted = set(labels)
    paths = [path for label, path in _by_label(source).items() if label in wanted]
    return {value for path in paths for value in _values(_read(path), "Format")}


def _write_definition(source: Path, target: Path, contents: Contents | None) -> None:
    shutil.copyfile(source, target)
    if contents:
        drop_in = target.with_name(f"{target.name}.d") / _DROP_IN
        drop_in.parent.mkdir()
        drop_in.write_text(_drop_in(contents), encoding="utf-8")


def _by_label(source: Path) -> dict[str, Path]:
    try:
        paths = sorted(path for path in source.iterdir() if path.suffix == ".conf")
    except OSError as error:
        what = f"the partition definitions cannot be read: {error.strerror}"
        hint = "give their folder with --definitions"
        raise ProvisionError(what, on=source, hint=hint) from error
    return {label: path for path in paths for label in _values(_read(path), "Label")}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the partition definition cannot be read: {error}"
        raise ProvisionError(what, on=path) from error


def _values(text: str, name: str) -> list[str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def _drop_in(contents: Contents) -> str:
    lines = ["[Partition]", f"UUID={contents.part_id}"]
    if contents.size:
        lines += [f"SizeMinBytes={contents.size}", f"SizeMaxBytes={contents.size}"]
    if contents.blocks:
        lines.append(f"CopyBlocks={contents.blocks}")
    if contents.tree:
        lines.append(f"CopyFiles={contents.tree}:/")
    return "".join(f"{line}\n" for line in lines)
