# SPDX-License-Identifier: Apache-2.0
"""The writer: brings an image to the inactive slot, through a descriptor that boot control gave.

Two ways, by what is signed. With a chunk index every chunk is hashed before its bytes reach the
slot, a broken write goes on where it stopped, and chunks may come of a delta. With one hash for the
whole file, bytes go to the disarmed slot first, and the slot is spoiled when the hash is wrong.
"""

from __future__ import annotations

from puad.writer.chunk_journal import ChunkJournal
from puad.writer.deltas import Deltas
from puad.writer.image import WriteResult, write_image
from puad.writer.plan import DeltaFile

__all__ = ["ChunkJournal", "DeltaFile", "Deltas", "WriteResult", "write_image"]
