# SPDX-License-Identifier: Apache-2.0
"""Encoding: one chunk becomes a zstd frame, with a dictionary of the old image's bytes.

The frame has its content size and checksum, as those of a full file do, and one segment: what a
node needs to unpack it is the dictionary and room for the chunk.
"""

from __future__ import annotations

from typing import Final

import zstandard

from puad.core.delta import MAX_FRAME_WINDOW_BYTES

# From this level on a publisher has asked for the smallest file, not for the quickest way.
_THOROUGH_LEVEL: Final = 19
# What such a publisher gets: everything is looked for, whatever time it takes.
_THOROUGH: Final = {"strategy": zstandard.STRATEGY_BTULTRA2, "min_match": 3}
_MIN_LOG: Final = 10
_MAX_LOG: Final = MAX_FRAME_WINDOW_BYTES.bit_length() - 1


def encode_chunk(chunk: bytes, dictionary: bytes, level: int) -> bytes:
    """The frame of a chunk.

    Args:
        chunk: The chunk's bytes.
        dictionary: The windows' bytes, one after another; may be empty.
        level: The zstd level.
    """
    whole = len(chunk) + len(dictionary)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=whole,
        **_tables(whole),
        **_THOROUGH if level >= _THOROUGH_LEVEL else {},
        write_content_size=True,
        write_checksum=True,
        write_dict_id=False,
    )
    words = None
    if dictionary:
        words = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=words, compression_params=parameters).compress(chunk)


def _tables(whole: int) -> dict[str, int]:
    """Tables that hold the whole dictionary: those of the quick levels are made for less."""
    log = max(_MIN_LOG, min((whole - 1).bit_length(), _MAX_LOG))
    return {"window_log": log, "hash_log": log, "chain_log": log + 1}
