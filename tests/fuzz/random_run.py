# SPDX-License-Identifier: Apache-2.0
"""Runs without a fuzzer: changes to what is kept, by a seed, the same on every machine."""

from __future__ import annotations

from random import Random

from tests.fuzz.mutation import mutate_bytes
from tests.fuzz.target import Target


def run_random(target: Target, runs: int, seed: int) -> None:
    """Give so many changed inputs to a target.

    Raises:
        AssertionError: When one shows a fault; its cause is what was raised, its text the input.
    """
    noise = Random(seed)
    kept = list(target.inputs())
    for _ in range(runs):
        mutate = noise.choice((target.mutate, target.mutate, mutate_bytes))
        data = mutate(noise.choice(kept), noise)
        try:
            target.check(data)
        except Exception as error:
            raise AssertionError(f"{target.name} has a fault with the input {data!r}") from error
