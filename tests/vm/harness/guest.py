# SPDX-License-Identifier: Apache-2.0
"""Guest: commands run inside a virtual machine, through the QEMU guest agent on its serial port.

The port outlives the guest's boots. What was asked of a boot that has ended is never answered, so
every question begins with a number that the answer repeats.
"""

from __future__ import annotations

import base64
import itertools
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ANSWER_S = 15
_POLL_S = 0.2
_numbers = itertools.count(1)


class GuestAwayError(Exception):
    """The guest does not answer: it boots, hangs or is off."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended in the guest."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return self.stdout + self.stderr


class Guest:
    """The guest's console, so to speak."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._rest = b""

    def close(self) -> None:
        """Let go of the port."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def is_up(self) -> bool:
        """Whether the guest answers now."""
        try:
            self._sync(3)
        except GuestAwayError:
            return False
        return True

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | bytes = "",
        limit_s: float = 120,
        as_user: str = "",
    ) -> Done:
        """Run a command in the guest as root, or as a user without any privilege.

        Raises:
            GuestAwayError: when the guest does not answer, or the command does not end.
        """
        argv = [*_as(as_user), *command]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        asked: dict[str, Any] = {"path": argv[0], "arg": argv[1:], "capture-output": True}
        asked["env"] = ["LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin", "COLUMNS=200"]
        if data:
            asked["input-data"] = base64.b64encode(data).decode()
        self._sync(_ANSWER_S)
        pid = self._call("guest-exec", asked)["pid"]
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            status = self._call("guest-exec-status", {"pid": pid})
            if status["exited"]:
                code = status.get("exitcode", -status.get("signal", 255))
                return Done(code, _text(status, "out-data"), _text(status, "err-data"))
            time.sleep(_POLL_S)
        raise GuestAwayError(f"{' '.join(command)} did not end within {limit_s:.0f} s")

    def output(self, *command: str, limit_s: float = 120) -> str:
        """Run a command that must succeed: its standard output, without the last line end.

        Raises:
            AssertionError: when it ends with another code than 0.
        """
        done = self.run(command, limit_s=limit_s)
        assert done.code == 0, f"{' '.join(command)} ended with {done.code}: {done.text}"
        return done.stdout.rstrip("\n")

    def write(self, path: str, text: str) -> None:
        """Write a file; its folder is made."""
        folder = path.rpartition("/")[0]
        self.output("mkdir", "-p", folder)
        done = self.run(["dd", "status=none", f"of={path}"], stdin=text)
        assert done.code == 0, done.text

    def _sync(self, limit_s: float) -> None:
        number = next(_numbers)
        self._send("guest-sync", {"id": number})
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self._receive(end).get("return") == number:
                return
        raise GuestAwayError("the guest does not answer")

    def _call(self, command: str, arguments: dict[str, Any]) -> Any:
        self._send(command, arguments)
        answer = self._receive(time.monotonic() + _ANSWER_S)
        if "return" not in answer:
            raise GuestAwayError(f"{command}: {answer.get('error')}")
        return answer["return"]

    def _send(self, command: str, arguments: dict[str, Any]) -> None:
        message = json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX)
                self._socket.settimeout(2)
                self._socket.connect(str(self._path))
            self._socket.sendall(message)
        except OSError as error:
            self.close()
            raise GuestAwayError("the guest's port does not take anything") from error

    def _receive(self, end: float) -> dict[str, Any]:
        assert self._socket is not None
        while b"\n" not in self._rest:
            self._socket.settimeout(max(end - time.monotonic(), 0.01))
            try:
                more = self._socket.recv(1 << 16)
            except OSError as error:
                raise GuestAwayError("the guest does not answer") from error
            if not more:
                self.close()
                raise GuestAwayError("the machine is gone")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            return {}  # half an answer of the boot before
        return answer


def _as(user: str) -> list[str]:
    if not user:
        return []
    drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--init-groups"]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", *drop]


def _text(status: dict[str, Any], key: str) -> str:
    return base64.b64decode(status.get(key, "")).decode("utf-8", "replace")
