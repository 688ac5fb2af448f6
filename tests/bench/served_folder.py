# SPDX-License-Identifier: Apache-2.0
"""A served folder: the file server of the benchmarks, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.file_server import SENT
from tests.demo.layout import REPOSITORY


@dataclass(frozen=True, slots=True)
class Served:
    """A folder behind a URL on the loopback address."""

    url: str

    def sent_bytes(self) -> int:
        """How many bytes of bodies the server has handed to the network."""
        with urllib.request.urlopen(self.url + SENT, timeout=30) as answer:
            return int(answer.read())


@contextlib.contextmanager
def served(folder: Path, *, rate_bytes_s: float = 0, cut_bytes: int = 0) -> Iterator[Served]:
    """A server for the length of the block (see `tests.bench.file_server`)."""
    options = [f"--rate={rate_bytes_s}", f"--cut={cut_bytes}"]
    argv = [sys.executable, "-m", "tests.bench.file_server", str(folder), *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert process.stdout is not None
            yield Served(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()
