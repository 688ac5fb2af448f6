# SPDX-License-Identifier: Apache-2.0
"""The simulated firmware's file: one block for each slot's entry, and what is booted first.

The file is made of blocks of 4096 bytes: a header, then one block for each slot. A block is one
line of text, `<CRC-32 of the JSON, hex> <JSON>`, filled up with zeros; a block of zeros is empty.
Rules:

1. A change writes one block in place, as firmware and FAT do, so a power cut may tear it. It can
   then hurt that slot's entry only: the other slot's block is never written along with it.
2. Order at power-on: entries that are not counted or have tries left, the one armed last first;
   then, as last resort, entries without tries; then torn entries whose boot files are there. An
   empty block, or an entry whose boot files are not all there, is never booted.
3. A torn header means the defaults: counting, nothing pinned.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName
from bootloader.slot import BootFileKind

BLOCK_BYTES: Final = 4096
SCHEMA: Final = 1


class Torn(Enum):
    """Stands for an entry that cannot be read."""

    TORN = "torn"


@dataclass(frozen=True, slots=True)
class Header:
    """What concerns the whole firmware.

    Attributes:
        counting: False plays a firmware that cannot write its counters.
        pinned: A slot that is booted first whatever its counter says; empty for none.
    """

    counting: bool = True
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One slot's entry.

    Attributes:
        generation: Rises with each arm.
        tries_left: Boots that may still be tried; None when they are not counted.
        tries_done: Boots that were tried; None when they are not counted.
        kinds: The boot files that it needs.
        command_line: The kernel command line.
    """

    generation: int
    tries_left: int | None = None
    tries_done: int | None = None
    kinds: frozenset[BootFileKind] = frozenset()
    command_line: str = ""


@dataclass(frozen=True, slots=True)
class Firmware:
    """The file as it reads now; a slot without an entry has None."""

    header: Header = field(default_factory=Header)
    records: Mapping[str, Record | Torn | None] = field(default_factory=dict)

    def next_generation(self) -> int:
        """A generation above every one that can be read."""
        read = [record.generation for record in self.records.values() if isinstance(record, Record)]
        return max(read, default=0) + 1

    def order(self, present: Mapping[str, frozenset[BootFileKind]]) -> list[str]:
        """The bootable slots, the one that is tried first in front.

        Args:
            present: The boot files that are there, for each slot.
        """
        ranked = []
        for slot, record in self.records.items():
            if isinstance(record, Record) and record.kinds <= present[slot]:
                last_resort = record.tries_left == 0 and slot != self.header.pinned
                pinned = slot != self.header.pinned
                ranked.append((int(last_resort), pinned, -record.generation, slot))
            elif record is Torn.TORN and present[slot]:
                ranked.append((2, True, 0, slot))
        return [slot for *_, slot in sorted(ranked)]


def read(path: Path, slots: tuple[str, ...]) -> Firmware:
    """The firmware's file; one that is not there reads as empty.

    Raises:
        BootloaderError: `StorageFailed`.
    """
    with storage_errors(path):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
    header = _decode(_block(data, 0))
    return Firmware(
        _header(header) if isinstance(header, dict) else Header(),
        {slot: _record(_decode(_block(data, 1 + index))) for index, slot in enumerate(slots)},
    )


def record_offset(slot: str, slots: tuple[str, ...]) -> int:
    """Where a slot's block begins."""
    return BLOCK_BYTES * (1 + slots.index(slot))


def encode_header(header: Header) -> bytes:
    """The header's block."""
    return _encode({"schema": SCHEMA, **asdict(header)})


def encode_record(record: Record | None) -> bytes:
    """A slot's block; None empties it."""
    if record is None:
        return bytes(BLOCK_BYTES)
    document = asdict(record) | {"schema": SCHEMA, "kinds": sorted(record.kinds)}
    return _encode(document)


def _encode(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, sort_keys=True).encode()
    block = b"%08x %s\n" % (zlib.crc32(text), text)
    if len(block) > BLOCK_BYTES:
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the kernel command line is too long")
    return block.ljust(BLOCK_BYTES, b"\0")


def _block(data: bytes, index: int) -> bytes:
    return data[index * BLOCK_BYTES : (index + 1) * BLOCK_BYTES]


def _decode(block: bytes) -> dict[str, Any] | Torn | None:
    if not block.strip(b"\0"):
        return None
    checksum, _, text = block.rstrip(b"\0").partition(b" ")
    text = text.removesuffix(b"\n")
    if checksum != b"%08x" % zlib.crc32(text):
        return Torn.TORN
    document = json.loads(text)
    return document if isinstance(document, dict) else Torn.TORN


def _header(document: dict[str, Any]) -> Header:
    return Header(document.get("counting") is not False, str(document.get("pinned", "")))


def _record(document: dict[str, Any] | Torn | None) -> Record | Torn | None:
    if not isinstance(document, dict):
        return document
    try:
        return Record(
            generation=document["generation"],
            tries_left=document["tries_left"],
            tries_done=document["tries_done"],
            kinds=frozenset(BootFileKind(kind) for kind in document["kinds"]),
            command_line=document["command_line"],
        )
    except (KeyError, TypeError, ValueError):  # written by a later version: no more to us than torn
        return Torn.TORN
