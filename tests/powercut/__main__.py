# SPDX-License-Identifier: Apache-2.0
"""`make test-powercut`: prove the checker, then check what a power cut may leave of a real node.

1. The bench plays every planted fault; the checker must find each by the invariant that it breaks.
2. The bench's sound updates and rollbacks: every state.
3. The reference node's update and rollback: so many states, chosen by the seed.
4. The nastiest of those are booted with the real firmware.

`--state RECORDING:POINT:VARIANT` checks one state alone.
"""

from __future__ import annotations

import argparse
import sys

from tests.powercut.report import Report
from tests.powercut.whole import Options, check_bench, check_node, check_one
from tests.vm.harness.machine import Counters


def main() -> int:
    """Check; the exit code says whether everything is as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--states", type=int, default=2000, help="of the reference node")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins")
    parser.add_argument("--boot", type=int, default=4, help="how many states are booted")
    parser.add_argument("--state", default="", help="only this one, RECORDING:POINT:VARIANT")
    parser.add_argument("--bench-only", action="store_true", help="without the reference node")
    given = parser.parse_args()
    report = Report(_say)
    options = Options(given.states, given.seed, given.boot)
    if given.state:
        check_one(given.state, options, report)
    else:
        check_bench(options, report)
        if not given.bench_only:
            check_node(options, report, Counters())
    report.end()
    return 1 if report.failed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
