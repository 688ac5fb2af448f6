# SPDX-License-Identifier: Apache-2.0
"""Every input that is kept, and some thousand changed ones, through every parser.

`make fuzz` gives each a million that are guided by the code they reach.
"""

from __future__ import annotations

import pytest

from tests.fuzz.mutation import MAX_INPUT_BYTES
from tests.fuzz.random_run import run_random
from tests.fuzz.registry import TARGETS
from tests.fuzz.target import CORPUS, Target

RUNS = 2000
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


def test_each_target_has_a_corpus_and_each_corpus_a_target() -> None:
    assert set(CORPUS.iterdir()) == {target.corpus for target in TARGETS.values()}


@each_target
def test_inputs_that_are_kept_are_small_and_show_no_fault(target: Target) -> None:
    kept = list(target.inputs())
    assert max(map(len, kept)) <= MAX_INPUT_BYTES
    outcomes = {target.check(data) for data in kept}
    assert len(outcomes) >= 5, "the corpus does not reach enough of the parser"


@each_target
def test_changed_inputs_show_no_fault(target: Target) -> None:
    run_random(target, RUNS, seed=6)


def test_a_fault_is_shown_with_the_input_that_has_it() -> None:
    def check(data: bytes) -> str:
        return str(data.decode("ascii"))

    faulty = Target("fat", check)
    with pytest.raises(AssertionError, match="fat has a fault with the input b'") as caught:
        run_random(faulty, RUNS, seed=8)
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)
