# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest
import zstandard

from orchestrator_stub.release.delta.encoding import encode_chunk
from tests.unit.release.delta.deltas import decoded

NOISE = random.Random(7).randbytes(300_000)


@pytest.mark.parametrize("level", [1, 3, 19, 22])
@pytest.mark.parametrize("size", [1, 7, 4096, 200_000])
@pytest.mark.parametrize("dictionary", [b"", b"x", NOISE, b"\x37\xa4\x30\xec" + NOISE])
def test_encode_chunk_any_level_and_size_decodes(level: int, size: int, dictionary: bytes) -> None:
    chunk = NOISE[50_000 : 50_000 + size]
    frame = encode_chunk(chunk, dictionary, level)
    assert decoded(frame, dictionary) == chunk
    parameters = zstandard.get_frame_parameters(frame)
    assert parameters.content_size == size
    assert parameters.has_checksum
    assert parameters.dict_id == 0
    # One segment: what a node needs to unpack it is no more than the chunk.
    assert parameters.window_size == max(size, 1)
    if len(dictionary) > size > 100_000:
        assert len(frame) < 100


def test_encode_chunk_wrong_dictionary_does_not_pass_its_checksum() -> None:
    frame = encode_chunk(NOISE[:100_000], NOISE, 3)
    with pytest.raises(zstandard.ZstdError):
        decoded(frame, NOISE[::-1])
