# SPDX-License-Identifier: Apache-2.0
"""Packed images at the publisher: what a node would unpack, in the publisher's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator_stub.release.errors import InputError
from puad.core import packing as core
from puad.core.errors import ImageError
from puad.core.packing import MemoryNeededError, Packing

# What a node gives to unpacking xz: enough for a dictionary of 32 MiB, not for one of 48.
NODE_MEMORY_BYTES: Final = 48 << 20
# What the publisher gives when it only reads the file.
OWN_MEMORY_BYTES: Final = 1 << 30
_PIECE_BYTES: Final = 1 << 20


def unpack(
    pieces: Iterable[bytes], packing: Packing, *, memory_bytes: int, on: str
) -> Iterator[bytes]:
    """What a packed file unpacks to, in pieces of at most 1 MiB.

    Args:
        pieces: The file's bytes, in order.
        packing: How it is packed.
        memory_bytes: The most that unpacking may take. A file that is published as it is must need
            no more than a node gives.
        on: Its name, for messages.

    Raises:
        InputError: When it is damaged, cut off, or needs more memory.
    """
    try:
        yield from core.unpack(packing, pieces, memory_bytes=memory_bytes, most_bytes=_PIECE_BYTES)
    except MemoryNeededError as error:
        raise InputError(
            f"unpacking it takes more than {memory_bytes >> 20} MiB of memory",
            on=on,
            hint="Nodes unpack what `xz -8` or less has made; or publish it with --format raw.zst.",
        ) from error
    except ImageError as error:
        raise InputError(
            error.what[:1].lower() + error.what[1:],
            on=on,
            hint="Get it again, and compare its SHA-256 with what its publisher says.",
        ) from error
