# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.demo.left_up import remember, stop_left_up

PATIENCE_S = 60
SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


@contextmanager
def sleeping(word: str) -> Iterator[subprocess.Popen[str]]:
    """A process with that word on its command line, which is there once it has said something."""
    with subprocess.Popen([*SLEEP, word], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def test_stop_ends_what_was_left_up_and_says_what_that_was(tmp_path: Path) -> None:
    with sleeping("orchestrator_stub") as server, sleeping("tests.simulator") as simulator:
        remember(tmp_path, "server", server.pid)
        remember(tmp_path, "simulator", simulator.pid)
        assert stop_left_up(tmp_path) == ["server", "simulator"]
        assert server.wait(PATIENCE_S) < 0
        assert simulator.wait(PATIENCE_S) < 0
    assert list(tmp_path.iterdir()) == []
    assert stop_left_up(tmp_path) == []


def test_stop_leaves_another_process_of_the_same_id_alone(tmp_path: Path) -> None:
    with sleeping("something.else") as stranger:
        remember(tmp_path, "simulator", stranger.pid)
        assert stop_left_up(tmp_path) == []
        assert stranger.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_stop_of_a_process_that_has_ended_is_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "", "orchestrator_stub"])
    assert ended.wait(PATIENCE_S) == 0
    remember(tmp_path, "server", ended.pid)
    assert stop_left_up(tmp_path) == []
