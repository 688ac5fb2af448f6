# SPDX-License-Identifier: Apache-2.0
"""Power cuts: what one may leave behind breaks no invariant, and boots as the model says.

`make test-powercut` does the same with as many states as one likes; docs/power-cut.md says how.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.powercut.report import Report
from tests.powercut.whole import Options, check_bench, check_node
from tests.vm.harness.bench import Bench


@pytest.fixture
def options(request: pytest.FixtureRequest) -> Options:
    """How much is checked."""
    if request.config.getoption("--vm-full"):
        return Options(states=4_000, boot=12, at_once=1)
    return Options(bench_states=150, fault_states=150, resumed=4, at_once=1)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """What is said of it: shown beside a failure, and kept in build/test-powercut."""
    report = Report(print, request.node.name)
    yield report
    report.end()


@pytest.mark.minutes(3)
def test_planted_faults_are_found_and_sound_runs_of_the_bench_break_nothing(
    options: Options, report: Report
) -> None:
    check_bench(options, report)
    assert not report.failed


@pytest.mark.minutes(10)
def test_power_cuts_of_the_reference_node_break_nothing(
    options: Options, report: Report, bench: Bench
) -> None:
    check_node(options, report, bench.counters)
    assert not report.failed
