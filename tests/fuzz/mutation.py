# SPDX-License-Identifier: Apache-2.0
"""Changes to an input: of its bytes, and of the JSON value that it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

MAX_INPUT_BYTES: Final = 4096
_NUMBERS: Final = (
    *(0, 1, -1, 2, 17, 255, 511, 512, 4096, 65535, 65536),
    *(1 << bits for bits in (20, 22, 24, 31, 32, 40, 53, 63, 64)),
    *((1 << bits) + 1 for bits in (20, 22, 40)),
    -(1 << 63),
    10**40,
)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 1.0, 1.5, 1e40, float("nan"), float("inf")),
    *("", "x", "a/b", "../a", "ä", "\ud800", "2026-11-23T10:00:00Z", "0" * 64, "f" * 64),
    *([], {}, [[]], [0], [1, []], [1, [0, 1]], [1, 0, 1, "0" * 64], [1, "0" * 64], {"a": 1}),
)


def mutate_bytes(data: bytes, noise: Random) -> bytes:
    """The input with one to eight small changes anywhere."""
    changed = bytearray(data)
    for _ in range(noise.randint(1, 8)):
        place = noise.randrange(len(changed) + 1)
        length = noise.choice((1, 1, 2, 4, 8, 16, 64))
        match noise.randrange(6):
            case 0 if changed:
                changed[place % len(changed)] ^= 1 << noise.randrange(8)
            case 1:
                number = noise.choice(_NUMBERS) % (1 << 64)
                width = noise.choice((1, 2, 4, 8))
                changed[place : place + width] = (number % (1 << 8 * width)).to_bytes(
                    width, "little"
                )
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case 4:
                other = noise.randrange(len(changed) + 1)
                changed[place : place + length] = changed[other : other + length]
            case _:
                changed[place : place + length] = noise.randbytes(length)
    return bytes(changed[:MAX_INPUT_BYTES])


def mutate_json(document: Any, noise: Random) -> Any:
    """The document with one to three of its values changed, taken away, doubled or exchanged."""
    whole = [document]
    for _ in range(noise.randint(1, 3)):
        holder, key = noise.choice(list(_places(whole)))
        value = holder[key]
        match noise.randrange(8):
            case 0 if holder is not whole:
                del holder[key]
            case 1 if isinstance(holder, list) and holder is not whole:
                holder.insert(key, _copy(value))
            case 2 if isinstance(holder, list):
                other = noise.randrange(len(holder))
                holder[key], holder[other] = holder[other], holder[key]
            case 3 if isinstance(value, int) and abs(value) < 1 << 70:
                holder[key] = value + noise.choice((-1, 1, 8, -4096, 4096, value))
            case 4 if isinstance(value, str):
                holder[key] = mutate_bytes(value.encode("utf-8", "replace"), noise).decode(
                    "utf-8", "replace"
                )
            case 5 | 6:
                holder[key] = noise.choice(_NUMBERS)
            case _:
                holder[key] = _copy(noise.choice(_VALUES))
    return whole[0]


def dump(document: Any) -> bytes:
    """The document as an input; lone surrogates are written as escapes."""
    return json.dumps(document, separators=(",", ":")).encode()


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Where each value of a document stands."""
    if isinstance(holder, dict | list):
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            yield from _places(holder[key])


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))
