# SPDX-License-Identifier: Apache-2.0
"""GRUB's environment block: text of fixed size that GRUB reads, and can write in place.

The block is a first line that marks it, then lines `name=value`, then `#` up to its size. GRUB
finds it by its mark alone; a block without it reads as nothing. GRUB can save only into a block
whose rest is `#`, and only as many bytes as the file has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

BLOCK_BYTES: Final = 1024
SIGNATURE: Final = b"# GRUB Environment Block\n"
# as GRUB reads it: a name goes on to the next "=", even over the end of a line
_LINE: Final = re.compile(rb"#[^\n]*\n?|([^=]*)=((?:[^\\\n]|\\.)*)\n", re.DOTALL)


def decode(data: bytes) -> dict[str, str] | None:
    """The variables of a block; None when GRUB cannot read it."""
    if not data.startswith(SIGNATURE):
        return None
    values = {}
    at = len(SIGNATURE)
    while line := _LINE.match(data, at):
        at = line.end()
        if line[1] is not None:
            value = re.sub(rb"\\(.)", rb"\1", line[2], flags=re.DOTALL)
            values[line[1].decode("latin-1")] = value.decode("latin-1")
    return values


def encode(values: Mapping[str, str], size: int = BLOCK_BYTES) -> bytes | None:
    """A block of that size; None when the variables do not fit."""
    lines = (f"{name}={_escape(value)}\n" for name, value in values.items())
    block = SIGNATURE + "".join(lines).encode("latin-1")
    return block.ljust(size, b"#") if len(block) < size else None


def is_savable(data: bytes) -> bool:
    """Whether GRUB can save into the block."""
    return data.startswith(SIGNATURE) and data.rstrip(b"#").endswith(b"\n")


def _escape(value: str) -> str:
    return re.sub(r"([\\\n])", r"\\\1", value)
