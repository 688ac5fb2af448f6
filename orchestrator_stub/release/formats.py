# SPDX-License-Identifier: Apache-2.0
"""Formats in which an image can be published: framed by us, or packed as it was given."""

from __future__ import annotations

from typing import Final

from orchestrator_stub.release.errors import UsageError
from orchestrator_stub.release.frames import ENCODERS
from orchestrator_stub.release.packing import NODE_MEMORY_BYTES, OWN_MEMORY_BYTES
from puad.core.packing import Packing

DEFAULT_FORMAT: Final = "raw.zst"
FORMATS: Final = tuple(sorted({*ENCODERS, *(packing.value for packing in Packing)}))


def choose_format(asked: str | None, packing: Packing | None) -> str:
    """The format of the published file.

    Args:
        asked: What was asked for, if anything.
        packing: How the image is packed.

    Raises:
        UsageError: When the image would have to be packed as only others do.
    """
    if asked is None:
        return packing.value if packing else DEFAULT_FORMAT
    if not is_framed(asked) and asked != packing:
        given = f"the image has the format {packing}" if packing else "the image is not compressed"
        raise UsageError(
            f"an image is published as {asked} only when it was given so; {given}",
            on="--format",
            hint="Leave --format out: uncompressed images become raw.zst, others stay as they are.",
        )
    return asked


def is_framed(name: str) -> bool:
    """Whether a file of that format is made by us, chunk by chunk."""
    return name in ENCODERS


def unpacking_memory(name: str) -> int:
    """The most memory that unpacking the given file may take, in bytes.

    Args:
        name: The format of the published file; one that stays as it is has to suit the nodes.
    """
    return OWN_MEMORY_BYTES if is_framed(name) else NODE_MEMORY_BYTES
