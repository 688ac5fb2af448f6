# SPDX-License-Identifier: Apache-2.0
"""Whose lines are counted: tests of the node and of boot control are, others go without.

Counting costs a third of a test, and every process that it starts pays once more. What the
orchestrator's tests reach in the node's code, the node's own tests have to reach anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coverage import Coverage

_TESTS: Final = Path(__file__).parent
_UNCOUNTED: Final = tuple(
    _TESTS / folder
    for folder in (
        "integration/demo",
        "integration/orchestrator_stub",
        "integration/release",
        "integration/simulator",
        "integration/web",
        "packaging",
        "unit/bench",
        "unit/demo",
        "unit/orchestrator_stub",
        "unit/powercut",
        "unit/release",
        "unit/simulator",
    )
)
# What makes every Python process count, as coverage's patch "subprocess" has it.
_COUNT_IN_PROCESSES: Final = "COVERAGE_PROCESS_CONFIG"


def is_counted(path: Path) -> bool:
    """Whether the lines are counted that the tests in this file run."""
    return not any(path.is_relative_to(folder) for folder in _UNCOUNTED)


@contextmanager
def counting(wanted: bool) -> Iterator[None]:
    """Count no lines meanwhile, here and in processes begun meanwhile, unless it is wanted."""
    coverage = Coverage.current()
    if wanted or coverage is None:
        yield
        return
    config = os.environ.pop(_COUNT_IN_PROCESSES, None)
    coverage.stop()
    try:
        yield
    finally:
        coverage.start()
        if config is not None:
            os.environ[_COUNT_IN_PROCESSES] = config
