# SPDX-License-Identifier: Apache-2.0
"""The boot view: what the boot loader would find on the ESP of a state, and in which order.

The ESP is read as a boot loader reads it, entry files and boot files are laid out in a folder, and
the model of systemd-boot that the tests of the back end use says which entries it shows.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.fat import Fat, FatError, Node
from tests.powercut.recording import Image
from tests.unit.bootloader import loader_model

_ENTRIES = "loader/entries"
_FILES = "puad"
_LOADER = "EFI/BOOT"


@dataclass(frozen=True, slots=True)
class BootEntry:
    """An entry that the boot loader shows.

    Attributes:
        file: Its file name.
        slot: The slot whose boot files it names.
        tries_left: Its counter; None for a good one.
        images: Ids of the images whose boot files it names, every byte of them.
        root: The partition id in its command line; empty for none.
        text: The text of the entry.
    """

    file: str
    slot: str
    tries_left: int | None
    images: frozenset[str]
    root: str
    text: bytes


@dataclass(frozen=True, slots=True)
class BootView:
    """The ESP of a state.

    Attributes:
        entries: What is shown, the one that is booted in front.
        staged: For each slot the images whose boot files all lie in its folder.
        loader: The boot loader's own files.
    """

    entries: tuple[BootEntry, ...]
    staged: Mapping[str, frozenset[str]]
    loader: Mapping[str, bytes]


class BootReader:
    """Reads the ESP.

    Args:
        images: Every image that is known.
        folder: A folder of its own.
    """

    def __init__(self, images: Mapping[str, Image], folder: Path) -> None:
        self._known = {
            image_id: {kind: path.read_bytes() for kind, path in image.boot_files.items()}
            for image_id, image in images.items()
        }
        self._folder = folder

    def read(self, esp: Path) -> BootView:
        """What the boot loader finds.

        Raises:
            FatError: There is no file system, or none with the folder of the entries.
        """
        with Fat(esp) as fat:
            texts = _read_all(fat, _ENTRIES)
            loader = _read_all(fat, _LOADER)
            slots = {}
            for folder in fat.folder(_FILES):
                if folder.is_folder:
                    slots[folder.name] = self._match(fat, f"{_FILES}/{folder.name}")
        self._lay_out(texts, slots)
        entries = [
            self._entry(shown, texts[shown.path.name], slots)
            for shown in loader_model.read_entries(self._folder)
        ]
        staged = {
            slot: frozenset(
                image_id
                for image_id, files in self._known.items()
                if set(files) == set(found) and all(image_id in found[kind] for kind in files)
            )
            for slot, found in slots.items()
        }
        return BootView(tuple(entries), staged, loader)

    def _match(self, fat: Fat, folder: str) -> dict[str, frozenset[str]]:
        """For each boot file the images that have it, byte for byte."""
        found = {}
        for node in fat.folder(folder):
            data = _read(fat, node)
            found[node.name] = frozenset(
                image_id
                for image_id, files in self._known.items()
                if data is not None and files.get(node.name) == data
            )
        return found

    def _lay_out(
        self, texts: Mapping[str, bytes], slots: Mapping[str, Mapping[str, frozenset[str]]]
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        entries = self._folder / _ENTRIES
        entries.mkdir(parents=True)
        for name, text in texts.items():
            (entries / name).write_bytes(text)
        for slot, found in slots.items():
            (self._folder / _FILES / slot).mkdir(parents=True)
            for name in found:
                (self._folder / _FILES / slot / name).touch()

    def _entry(
        self,
        shown: loader_model.Shown,
        text: bytes,
        slots: Mapping[str, Mapping[str, frozenset[str]]],
    ) -> BootEntry:
        paths = [Path(path) for path in (shown.loader, *shown.initrds)]
        images = frozenset(self._known)
        for path in paths:
            images &= slots.get(path.parent.name, {}).get(path.name, frozenset())
        # an entry that names fewer files than its image has does not boot that image
        kinds = {path.name for path in paths}
        images = frozenset(image_id for image_id in images if kinds == set(self._known[image_id]))
        words = [word.partition("=")[2] for word in shown.options.split() if "root=" in word]
        return BootEntry(
            file=shown.path.name,
            slot=paths[0].parent.name,
            tries_left=shown.left,
            images=images,
            root=words[0].removeprefix("PARTUUID=") if words else "",
            text=text,
        )


def _read_all(fat: Fat, folder: str) -> dict[str, bytes]:
    found = {}
    for node in fat.folder(folder):
        data = None if node.is_folder else _read(fat, node)
        if data is not None:
            found[node.name] = data
    return found


def _read(fat: Fat, node: Node) -> bytes | None:
    try:
        return fat.read(node)
    except FatError:  # a file that cannot be read is none to the boot loader
        return None
