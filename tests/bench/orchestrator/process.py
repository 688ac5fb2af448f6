# SPDX-License-Identifier: Apache-2.0
"""The server process under measurement: started, stopped, and asked how much it has used."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.integration.orchestrator_stub.running import Orchestrator, new_directory, serving
from tests.simulator.connection import Origin
from tests.simulator.stage import Stage

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Used:
    """What a server process has used and done since its start.

    Attributes:
        cpu_s: Seconds of CPU.
        rss_mib: Resident memory.
        ways: How polls were answered.
    """

    cpu_s: float
    rss_mib: float
    ways: dict[str, float]


@dataclass
class Bench:
    """An orchestrator's folder and database; its server is started as often as is needed.

    Attributes:
        folder: Where it all lies.
        database_url: Its database; empty for SQLite in the folder.
        plain_http: Whether it serves without TLS.
        resting: Its hosts at rest, once they are enrolled.
        has_met: Whether every one of them has polled before.
    """

    folder: Path
    database_url: str = ""
    plain_http: bool = False
    port: int = 0
    resting: Stage | None = None
    has_met: bool = False

    def __post_init__(self) -> None:
        self._directory = new_directory(self.folder / "data", self.database_url)

    @property
    def ca_file(self) -> Path | None:
        """What vouches for it."""
        return None if self.plain_http else self._directory.path / "tls/ca.crt"

    @contextlib.contextmanager
    def serving(self) -> Iterator[Orchestrator]:
        """The server for the length of the block, always at the same port."""
        verify = str(self.ca_file) if self.ca_file else True
        with serving(self._directory, "--port", str(self.port), verify=verify) as orchestrator:
            self.port = Origin.of(orchestrator.url).port
            yield orchestrator

    def origin(self, orchestrator: Orchestrator) -> Origin:
        """Where nodes find it."""
        return Origin.of(orchestrator.url, self.ca_file)


def used(orchestrator: Orchestrator) -> Used:
    """What the server says of itself in its metrics."""
    response = orchestrator.session.get(f"{orchestrator.url}metrics", timeout=60)
    assert response.status_code == 200, response.text
    text = response.text
    ways = re.findall(r'^puad_poll_answers_total\{way="(\w+)"\} (\S+)', text, re.MULTILINE)
    return Used(
        cpu_s=_number(text, "process_cpu_seconds_total"),
        rss_mib=_number(text, "process_resident_memory_bytes") / _MIB,
        ways={way: float(count) for way, count in ways},
    )


def _number(text: str, name: str) -> float:
    (found,) = re.findall(rf"^{name} (\S+)", text, re.MULTILINE)
    return float(found)
