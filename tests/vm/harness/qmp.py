# SPDX-License-Identifier: Apache-2.0
"""QMP: the monitor of one virtual machine, its commands and its events.

A thread reads what the machine says, so that no event is lost while nobody asks: resets, watchdog
actions and the end of the machine are counted by the number of events of their name.
"""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tests.demo.waiting import wait_for

_ANSWER_S = 120


class QmpError(Exception):
    """The machine refused a command or is gone."""


class Qmp:
    """One connection to the monitor."""

    def __init__(self, path: Path, limit_s: float = 60) -> None:
        self._socket = wait_for("the machine's monitor", lambda: _connect(path), limit_s)
        self._file = self._socket.makefile("rwb")
        self._answers: Queue[dict[str, Any]] = Queue()
        self._lock = threading.Lock()
        self.events: list[dict[str, Any]] = []
        json.loads(self._file.readline())  # the greeting
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Let go of the monitor."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._file.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command: what it returns.

        Raises:
            QmpError: when the machine refuses it or is gone.
        """
        with self._lock:
            message = {"execute": command, "arguments": arguments}
            try:
                self._file.write(json.dumps(message).encode() + b"\n")
                self._file.flush()
                answer = self._answers.get(timeout=_ANSWER_S)
            except (OSError, Empty) as error:
                raise QmpError(f"{command}: the machine does not answer") from error
        if "return" not in answer:
            raise QmpError(f"{command}: {answer.get('error', 'the machine is gone')}")
        return answer["return"]

    def count(self, event: str) -> int:
        """How many events of that name came so far."""
        return sum(seen["event"] == event for seen in self.events)

    def last_s(self, event: str) -> float:
        """When the last event of that name came, Unix time of the host."""
        moment = next(seen["timestamp"] for seen in reversed(self.events) if seen["event"] == event)
        return float(moment["seconds"] + moment["microseconds"] / 1e6)

    def _read(self) -> None:
        try:
            for line in self._file:
                message = json.loads(line)
                if "event" in message:
                    self.events.append(message)
                else:
                    self._answers.put(message)
        except OSError:
            pass  # closed, or the machine was killed
        self._answers.put({})


def _connect(path: Path) -> socket.socket | None:
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.connect(str(path))
    except OSError:
        stream.close()
        return None
    return stream
