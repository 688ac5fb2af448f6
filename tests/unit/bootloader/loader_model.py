# SPDX-License-Identifier: Apache-2.0
"""A model of systemd-boot 257: which Type #1 entry it boots, and what it does to its counter.

Written from its rules, not from ours: it knows neither slots nor generations. The virtual machine
tests compare it with the real one.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from bootloader.version import compare_versions

GUID = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
ATTRIBUTES = (6).to_bytes(4, "little")


@dataclass
class Shown:
    """An entry of the menu."""

    path: Path
    keys: dict[str, str] = field(default_factory=dict)
    initrds: list[str] = field(default_factory=list)
    options: str = ""
    left: int | None = None
    done: int = 0
    prefix: str = ""

    @property
    def id(self) -> str:
        return self.path.name.lower()

    @property
    def loader(self) -> str:
        return self.keys.get("linux") or self.keys.get("efi") or ""


def write_variable(efivars: Path, name: str, text: str) -> None:
    data = ATTRIBUTES + (text + "\0").encode("utf-16-le")
    (efivars / f"{name}-{GUID}").write_bytes(data)


def read_variable(efivars: Path, name: str) -> str:
    path = efivars / f"{name}-{GUID}"
    data = path.read_bytes()[4:] if path.exists() else b""
    return data.decode("utf-16-le", "replace").partition("\0")[0].lower()


def read_entries(esp: Path) -> list[Shown]:
    """The menu: what comes first is booted unless something is pinned."""
    found = []
    folder = esp / "loader/entries"
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = path.name.lower()
        if not name.endswith(".conf") or name.startswith((".", "auto-")) or not path.is_file():
            continue
        shown = _read(path)
        if shown.loader and (esp / shown.loader.lstrip("/")).is_file():
            found.append(shown)
    return sorted(found, key=functools.cmp_to_key(_compare))


def boot(esp: Path, efivars: Path) -> Shown | None:
    """One start of systemd-boot: the entry that it hands over to, its try counted."""
    entries = read_entries(esp)
    one_shot = read_variable(efivars, "LoaderEntryOneShot")
    (efivars / f"LoaderEntryOneShot-{GUID}").unlink(missing_ok=True)
    (efivars / f"LoaderBootCountPath-{GUID}").unlink(missing_ok=True)
    wanted = (one_shot, read_variable(efivars, "LoaderEntryDefault"), _configured_default(esp))
    chosen = None
    for pattern in filter(None, wanted):
        chosen = chosen or next((one for one in entries if fnmatchcase(one.id, pattern)), None)
    chosen = chosen or next(iter(entries), None)
    if chosen is None:
        return None
    write_variable(efivars, "LoaderEntrySelected", chosen.id)
    if chosen.left is not None:
        name = f"{chosen.prefix}{max(chosen.left - 1, 0)}-{chosen.done + 1}.conf"
        chosen.path = chosen.path.rename(chosen.path.with_name(name))
        chosen.left, chosen.done = max(chosen.left - 1, 0), chosen.done + 1
        write_variable(efivars, "LoaderBootCountPath", f"\\loader\\entries\\{name}")
    return chosen


def _configured_default(esp: Path) -> str:
    path, default = esp / "loader/loader.conf", ""
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else []:
        key, _, value = line.strip().partition(" ")
        default = value.strip().lower() if key == "default" else default
    return default


def _read(path: Path) -> Shown:
    shown = Shown(path)
    for line in path.read_bytes().partition(b"\0")[0].decode("utf-8", "replace").splitlines():
        key, _, value = line.strip().partition(" ")
        value = value.strip()
        if key == "options":
            shown.options = f"{shown.options} {value}".strip()
        elif key == "initrd":
            shown.initrds.append(value)
        elif key and value and not key.startswith("#"):
            shown.keys[key] = value
    counted = re.fullmatch(r"(.*\+)([0-9]+)(?:-([0-9]+))?\.conf", path.name)
    if counted:
        shown.prefix, shown.left, shown.done = counted[1], int(counted[2]), int(counted[3] or 0)
    return shown


def _compare(a: Shown, b: Shown) -> int:
    if (a.left == 0) != (b.left == 0):
        return 1 if a.left == 0 else -1
    keys = [shown.keys.get("sort-key", "") for shown in (a, b)]
    if bool(keys[0]) != bool(keys[1]):
        return -1 if keys[0] else 1
    if keys[0]:
        for key in ("sort-key", "machine-id"):
            words = a.keys.get(key, ""), b.keys.get(key, "")
            if words[0] != words[1]:
                return -1 if words[0] < words[1] else 1
        by_version = -compare_versions(a.keys.get("version", ""), b.keys.get("version", ""))
        if by_version:
            return by_version
    by_id = -compare_versions(a.id, b.id)
    if by_id or a.left is None or b.left is None:
        return by_id
    return (b.left - a.left) or (a.done - b.done)
