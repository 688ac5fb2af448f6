# SPDX-License-Identifier: Apache-2.0
"""The boot loader back end: what boot control needs of any boot loader, and their registry.

A back end is one file in `bootloader/backends` with one class, `class Grub(Backend, name="grub")`.
What it is told beyond `Setup` stands in the section of its name, `[grub]`; the class says which
dataclass that is read into, `class Grub(Backend, name="grub", options=GrubOptions)`.

Rules for each back end, held by tests/unit/bootloader/test_backend_contract.py for all of them:

1. A slot without an entry is never booted, whatever else is left on the disk.
2. The entry that was armed last is tried first, as long as it has tries left or is good; each try
   is counted before it is made; without tries left an entry is only the last resort.
3. No method touches the entry or the boot files of another slot than the named one, so that a
   power cut between any two writes leaves the fallback bootable.
4. State that cannot be read leads to a defined choice, never to an exception at power-on.
5. Asked `strictly`, an entry that cannot be read is an error. Who lets something be done because
   there is no entry asks in this way: without descriptors left, nothing can be read.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from bootloader.durable import Files
from bootloader.slot import BootFileKind, BootStatus


@dataclass(frozen=True, slots=True)
class Setup:
    """What a back end is given.

    Attributes:
        slots: Names of the slots.
        run: Folder of files that only this boot needs.
        files: The seam for durable writes.
        is_strict: Whether an entry that cannot be read is an error, and not an unknown slot.
    """

    slots: tuple[str, ...]
    run: Path
    files: Files = field(default_factory=Files)
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be booted from a slot.

    Attributes:
        kinds: The staged kinds.
        command_line: The kernel command line; empty when a UKI keeps the one that it brings.
    """

    kinds: frozenset[BootFileKind]
    command_line: str


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The section of a back end that has nothing to say in it."""


class Backend(ABC):
    """One boot loader.

    Args:
        setup: What every back end is given.
        options: Its section of the configuration, an instance of its class' `options`.
    """

    registry: ClassVar[dict[str, type[Backend]]] = {}
    name: ClassVar[str]
    options: ClassVar[type]

    def __init_subclass__(cls, *, name: str, options: type = NoOptions) -> None:
        """Register a back end under the name that the configuration uses."""
        if name in Backend.registry:
            raise TypeError(f"two back ends are called {name}")
        cls.name = name
        cls.options = options
        Backend.registry[name] = cls

    def __init__(self, setup: Setup, options: Any) -> None:  # noqa: ANN401, ARG002 -- each has its own
        self.setup = setup

    @abstractmethod
    def status(self, slot: str) -> BootStatus:
        """What the boot loader knows of a slot; indeterminate when it cannot be read."""

    @abstractmethod
    def primary(self) -> str:
        """The slot that is tried first at the next power-on; empty when there is none."""

    @abstractmethod
    def fallback(self) -> str:
        """The slot that follows when the primary one fails; empty when there is none."""

    @abstractmethod
    def booted(self) -> str | None:
        """The slot that the boot loader says it started; None when it cannot say."""

    @abstractmethod
    def pinned(self) -> str:
        """What an operator pinned past all counting, to be read; empty when there is nothing."""

    @abstractmethod
    def boot_folder(self, slot: str) -> Path:
        """The folder of a slot's boot files, each named by its kind; it need not exist."""

    @abstractmethod
    def disarm(self, slot: str) -> None:
        """Delete the entry, then the boot files; nothing bootable is left."""

    @abstractmethod
    def arm(self, slot: str, tries: int, entry: Entry) -> None:
        """Make a slot the primary one, with so many tries."""

    @abstractmethod
    def mark_good(self, slot: str) -> None:
        """Stop counting the booted slot."""

    @abstractmethod
    def mark_bad(self, slot: str) -> None:
        """Take the booted slot's tries away; it stays as the last resort."""

    def strictly(self) -> Self:
        """The same boot loader, for questions whose answer lets something be done.

        `status`, `primary` and `fallback` raise `StorageFailed` there when an entry cannot be read.
        """
        twin = copy.copy(self)
        twin.setup = replace(self.setup, is_strict=True)
        return twin

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """A moment in which what is costly to read is read once, for whoever asks everything."""
        yield

    def pinned_slots(self) -> frozenset[str]:
        """The slots that come for ever by what is pinned, whatever becomes of their tries."""
        return frozenset({self.pinned()} - {""})

    def is_uncounted(self, slot: str) -> bool:  # noqa: ARG002 -- most never boot uncounted
        """Whether the booted slot, which is not good, was not counted when it was tried.

        Such a slot would come again for ever, whatever its tries say.
        """
        return False

    def check(self) -> None:
        """Whether the boot loader's state can be changed at all.

        Raises:
            BootloaderError: `StorageFailed`, saying what is missing or read-only.
        """
        return

    def clear_pinned(self) -> None:
        """Clear what an operator pinned, if the configuration wants that; called before an arm.

        Raises:
            BootloaderError: `StorageFailed`.
        """
        return

    def partition(self) -> Path | None:
        """Where the partition is mounted that holds its state; None when that is always there.

        `puad-boot-failed` mounts the ESP there for itself when nothing is mounted.
        """
        return None
