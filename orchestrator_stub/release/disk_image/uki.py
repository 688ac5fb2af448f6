# SPDX-License-Identifier: Apache-2.0
"""A unified kernel image: a PE file whose sections are a kernel, its command line and more.

Read by ourselves and not by a library: the file lies in pieces on a disk, two of its sections are
looked at, and what is malformed must be one error. A library would want the whole file in memory.
Signatures are not judged here: the firmware does that, with keys that the publisher has not.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from orchestrator_stub.release.disk_image.errors import UkiError
from orchestrator_stub.release.disk_image.reading import Read

_DOS_BYTES: Final = 64
_DOS_MARK: Final = b"MZ"
_PE_MARK: Final = b"PE\0\0"
_PLACE_OF_PE: Final = 0x3C
# mark, machine, count of sections, date, symbols, their count, size of the optional header, flags
_COFF: Final = struct.Struct("<4sHHIIIHH")
# name, size in memory, address, size and place in the file
_SECTION: Final = struct.Struct("<8sIIII16x")
_MAX_SECTIONS: Final = 256
_MAX_COMMAND_LINE_BYTES: Final = 64 << 10
_ROOT_BY_ID: Final = re.compile(
    r"root=partuuid=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Section:
    name: bytes
    offset: int
    length: int


def read_root_id(read: Read, size: int) -> str | None:
    """The PARTUUID that a UKI of `size` bytes boots from; None when its command line names none.

    Raises:
        UkiError: When it is no UKI, is cut off, or has command lines that name several.
    """
    sections = _read_sections(read, size)
    if not any(section.name == b".linux" for section in sections):
        raise UkiError("there is no kernel in it (no section .linux)")
    lines = [section for section in sections if section.name == b".cmdline"]
    length = sum(line.length for line in lines)
    if length > _MAX_COMMAND_LINE_BYTES:
        raise UkiError(f"its command lines have {length} bytes")
    roots = {_root_id(_read_line(read, line)) for line in lines}
    if len(roots) > 1:
        raise UkiError("its command lines name several root partitions")
    return roots.pop() if roots else None


def _read_sections(read: Read, size: int) -> tuple[_Section, ...]:
    dos = read(0, _DOS_BYTES)
    if len(dos) < _DOS_BYTES or not dos.startswith(_DOS_MARK):
        raise UkiError("it is no EFI program")
    (place,) = struct.unpack_from("<I", dos, _PLACE_OF_PE)
    head = read(place, _COFF.size)
    if len(head) < _COFF.size or not head.startswith(_PE_MARK):
        raise UkiError("it is no EFI program, or is cut off")
    _, _, count, _, _, _, optional, _ = _COFF.unpack(head)
    if not 1 <= count <= _MAX_SECTIONS:
        raise UkiError(f"it has {count} sections")
    table = read(place + _COFF.size + optional, count * _SECTION.size)
    if len(table) < count * _SECTION.size:
        raise UkiError("it is cut off")
    return tuple(_to_section(row, size) for row in _SECTION.iter_unpack(table))


def _to_section(row: tuple[bytes, int, int, int, int], size: int) -> _Section:
    name, in_memory, _, in_file, offset = row
    if in_file and offset + in_file > size:
        raise UkiError("it is cut off: a section ends behind the file")
    # The file has whole blocks; what the section holds is as long as it is in memory.
    return _Section(name.rstrip(b"\0"), offset, min(in_file, in_memory))


def _read_line(read: Read, section: _Section) -> str:
    return read(section.offset, section.length).decode("utf-8", "replace").strip("\0 \t\r\n")


def _root_id(line: str) -> str | None:
    """The PARTUUID of the last `root=`, which is the one that counts."""
    words = [word for word in _words(line) if word.startswith("root=")]
    match = _ROOT_BY_ID.fullmatch(words[-1]) if words else None
    return match[1].lower() if match else None


def _words(line: str) -> list[str]:
    """A kernel command line as words; white space within double quotes is part of one."""
    parts = line.replace("\0", " ").split('"')
    parts[::2] = [re.sub(r"\s", "\0", part) for part in parts[::2]]
    return "".join(parts).split("\0")
