# SPDX-License-Identifier: Apache-2.0
"""puad that is killed at one exact point: right after it persisted a state, or in mid-seal.

`python -m tests.integration.node.killed_puad POINT MARK [puad's arguments]`: SIGKILL comes at the
first time that the point is reached, when the file MARK is not there yet. The point is a state of
the run, and the kill lies between persist and perform; or it is the word `seal`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from unittest.mock import patch

from puad.core.run import Run
from puad.daemon import main
from puad.daemon.memory import Memory
from puad.effects.watch import Progress, Watch


def arm(point: str, mark: Path) -> None:
    """Make this process kill itself at a point."""
    keep, show = Memory.keep, Watch.show

    def die() -> None:
        if not mark.exists():
            mark.touch()
            sys.stderr.write(f"killed NOTICE {point}: by the test, persisted but not performed\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def keep_and_die(memory: Memory, run: Run) -> None:
        keep(memory, run)
        if run.state.value == point:
            die()

    def show_and_die(watch: Watch, progress: Progress) -> None:
        show(watch, progress)
        if progress.phase == point:
            die()

    patch.object(Memory, "keep", keep_and_die).start()
    patch.object(Watch, "show", show_and_die).start()


if __name__ == "__main__":
    arm(sys.argv[1], Path(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
