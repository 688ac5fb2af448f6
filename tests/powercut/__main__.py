# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.powercut FOLDER… [--states N] [--seed S] [--state NAME]`: check recordings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.powercut.campaign import check_recording
from tests.powercut.recording import open_recording


def main() -> int:
    """Check recordings; the exit code says whether all states are as they must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--states", type=int, default=2000, help="at most so many a recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", default="", help="only this one, as POINT:VARIANT")
    options = parser.parse_args()
    failed = False
    for folder in options.folders:
        recording = open_recording(folder)
        found = check_recording(recording, options.states, options.seed, options.state)
        failed |= bool(found.violations)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
