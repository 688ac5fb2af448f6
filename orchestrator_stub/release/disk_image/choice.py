# SPDX-License-Identifier: Apache-2.0
"""Which partition is the root, which the ESP, and which file the UKI: never guessed.

Rules:

1. The ESP is the one partition of that type.
2. The root is the one partition of a root type (Discoverable Partitions Specification), else the
   one of type `Linux filesystem`. Where there are several, somebody has to say which.
3. The UKI is the one `*.efi` in `/EFI/Linux`, where systemd-boot looks, or the file that was named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from orchestrator_stub.release.disk_image.errors import ChoiceError
from orchestrator_stub.release.disk_image.fat import Fat
from orchestrator_stub.release.disk_image.fat_folder import FatEntry
from orchestrator_stub.release.disk_image.gpt import Partition
from puad.core.printable import printable_line

ESP: Final = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_ROOTS: Final = frozenset(
    {
        UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),  # x86-64
        UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),  # arm64
    }
)
_LINUX: Final = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_UKI_FOLDER: Final = ("EFI", "Linux")
_UKI_ENDING: Final = ".efi"
_MAX_LISTED: Final = 16
_MAX_NAME_CHARS: Final = 80


def choose_root(partitions: Sequence[Partition], wanted: str | None) -> Partition:
    """The root partition.

    Args:
        partitions: The partitions of the disk.
        wanted: Its label or number, when one was named.

    Raises:
        ChoiceError: When it is not there, or not clear.
    """
    if wanted is not None:
        number = int(wanted) if re.fullmatch(r"[0-9]{1,4}", wanted) else None
        found = [p for p in partitions if p.label == wanted]
        found = found or [p for p in partitions if p.number == number]
    else:
        found = [p for p in partitions if p.type_id in _ROOTS]
        found = found or [p for p in partitions if p.type_id == _LINUX]
    if len(found) == 1:
        return found[0]
    what = "no partition" if not found else "more than one partition"
    asked = f"is called {wanted}" if wanted is not None else "has the type of a root partition"
    raise ChoiceError(
        f"{what} of the disk {asked}; there {_listed(map(_describe, partitions))}",
        hint="Name the root partition by its label or number with --root-partition.",
    )


def choose_esp(partitions: Sequence[Partition]) -> Partition | None:
    """The ESP; None when the disk has none.

    Raises:
        ChoiceError: When it has several.
    """
    found = [p for p in partitions if p.type_id == ESP]
    if len(found) > 1:
        raise ChoiceError(
            f"the disk has several ESPs; there {_listed(map(_describe, partitions))}",
            hint="Give the UKI as a file of its own with --uki.",
        )
    return found[0] if found else None


def choose_uki(fat: Fat, path: str | None) -> FatEntry | None:
    """The UKI on an ESP; None when no path was given and there is none.

    Raises:
        ChoiceError: When it is not there, or not clear.
        FatError: When the ESP cannot be read.
    """
    if path is not None:
        named = fat.find(tuple(part for part in re.split(r"[/\\]", path) if part))
        if named is None or named.is_folder:
            raise ChoiceError(
                f"the ESP has no file {path}; in /EFI/Linux there {_listed(_names(fat))}",
                hint="Name the UKI by its path on the ESP with --uki-path.",
            )
        return named
    found = [e for e in _uki_folder(fat) if _is_program(e)]
    if len(found) > 1:
        raise ChoiceError(
            f"the ESP has several UKIs; in /EFI/Linux there {_listed(_names(fat))}",
            hint="Name the UKI by its path on the ESP with --uki-path.",
        )
    return found[0] if found else None


def _uki_folder(fat: Fat) -> tuple[FatEntry, ...]:
    folder = fat.find(_UKI_FOLDER)
    return fat.entries(folder) if folder and folder.is_folder else ()


def _is_program(entry: FatEntry) -> bool:
    return not entry.is_folder and entry.name.lower().endswith(_UKI_ENDING)


def _names(fat: Fat) -> list[str]:
    names = (e.name for e in _uki_folder(fat) if _is_program(e))
    return [printable_line(name, _MAX_NAME_CHARS) for name in sorted(names)]


def _describe(partition: Partition) -> str:
    label = f" {partition.label}" if partition.label else ""
    return f"{partition.number}{label} ({partition.extent.length >> 20} MiB)"


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    if not names:
        return "is nothing"
    more = ", …" if len(names) > _MAX_LISTED else ""
    return f"is {', '.join(names[:_MAX_LISTED])}{more}"
