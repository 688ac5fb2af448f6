# SPDX-License-Identifier: Apache-2.0
"""Inputs for what is JSON: a line with the numbers that come from signed metadata, then the JSON.

Bytes that are no such input are one as well: numbers that are missing are taken to be 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.mutation import MAX_INPUT_BYTES, dump, mutate_bytes, mutate_json

# Makes the numbers fit the document, and the document fit itself.
Mend = Callable[[Any, list[int]], None]


def split(data: bytes) -> tuple[list[int], bytes]:
    """The signed numbers and the JSON."""
    line, _, rest = data.partition(b"\n")
    return [int(word) % (1 << 44) for word in re.findall(rb"[0-9]{1,15}", line)], rest


def join(numbers: list[int], document: bytes) -> bytes:
    """The same as an input."""
    return b" ".join(b"%d" % number for number in numbers) + b"\n" + document


def mutator(mend: Mend | None = None) -> Callable[[bytes, Random], bytes]:
    """Changes the values of a document; every other one is mended so that it may be taken."""

    def mutate(data: bytes, noise: Random) -> bytes:
        numbers, raw = split(data)
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            return mutate_bytes(data, noise)
        document = mutate_json(document, noise)
        if mend and noise.random() < 0.5:
            mend(document, numbers)
        changed = join(numbers, dump(document))
        return changed if len(changed) <= MAX_INPUT_BYTES else mutate_bytes(data, noise)

    return mutate
