# SPDX-License-Identifier: Apache-2.0
"""The writer: brings an image to the inactive slot, through a descriptor that boot control gave.

Three ways, by what is signed. With a chunk index every chunk is hashed before its bytes reach the
slot: those with frames are fetched where they are missing, and may come of a delta; a file without
frames is fetched as a whole. With one hash for the whole file, bytes go to the disarmed slot first,
and the slot is spoilt when the hash is wrong.
"""

from __future__ import annotations

from puad.writer.chunk_journal import ChunkJournal
from puad.writer.delta_file import DeltaFile
from puad.writer.deltas import Deltas
from puad.writer.image import WriteResult, write_image
from puad.writer.spool import Spool

__all__ = ["ChunkJournal", "DeltaFile", "Deltas", "Spool", "WriteResult", "write_image"]
