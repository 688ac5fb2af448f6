# SPDX-License-Identifier: Apache-2.0
"""The writer: brings an image to the inactive slot, through a descriptor that boot control gave.

Two ways, by what is signed. With a chunk index every chunk is hashed before its bytes reach the
slot, and a broken write goes on where it stopped. With one hash for the whole file, bytes go to the
disarmed slot first, and the slot is spoiled when the hash is wrong.
"""

from __future__ import annotations

from puad.writer.chunk_journal import ChunkJournal
from puad.writer.image import WriteResult, write_image

__all__ = ["ChunkJournal", "WriteResult", "write_image"]
