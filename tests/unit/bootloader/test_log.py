# SPDX-License-Identifier: Apache-2.0
"""What boot control logs, under the journal and at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import logging
from bootloader import log
log.set_up()
logging.getLogger("x").info("slot b is disarmed")
logging.getLogger("x").error("one\\ntwo")
"""


@pytest.mark.parametrize("under_journal", [True, False])
def test_lines_have_a_priority_under_the_journal_and_a_time_elsewhere(
    tmp_path: Path, under_journal: bool
) -> None:
    with (tmp_path / "log").open("wb") as stream:
        status = os.fstat(stream.fileno())
        place = f"{status.st_dev}:{status.st_ino}" if under_journal else "1:1"
        environment = {**os.environ, "JOURNAL_STREAM": place}
        command = [sys.executable, "-c", _PROGRAM]
        subprocess.run(command, stderr=stream, env=environment, check=True)
    lines = (tmp_path / "log").read_text().splitlines()
    if under_journal:
        assert lines == ["<6>slot b is disarmed", "<3>one", "<3>two"]
    else:
        assert lines[0].endswith(" INFO bootloader: slot b is disarmed")
