# SPDX-License-Identifier: Apache-2.0
"""Watch: what the server says about the node, as it changes, in the order in which it was seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from requests import ConnectionError  # noqa: A004 - what the client raises

from tests.demo.narration import Narration

_EVERY_S: Final = 0.1
STATUS_TYPES: Final = {
    "No new updates available": "UP_TO_DATE",
    "Updating": "STARTED",
    "Update completed": "UPDATED",
    "Update failed": "FAILED",
    "Downloading artifacts": "DOWNLOADING",
    "Download complete": "DOWNLOADED",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What the server said at one moment: status of the update, image that runs, marker, host."""

    status: str
    os_name: str
    available: str
    host: str

    @property
    def status_type(self) -> str:
        """The status as the protocol names it."""
        return STATUS_TYPES.get(self.status, self.status or "none")


class Watch:
    """A person who looks at the server's page ten times in a second."""

    def __init__(self, look: Callable[[], Sight], narration: Narration) -> None:
        self._look = look
        self._narration = narration
        self._sights: list[Sight] = []
        self._over = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    @property
    def now(self) -> Sight:
        """The last sight."""
        if self._failure is not None:
            raise self._failure
        return self._sights[-1] if self._sights else Sight("", "", "", "")

    def mark(self) -> int:
        """A place in the story, for `since`."""
        return max(len(self._sights) - 1, 0)

    def since(self, mark: int, leave_out: str = "") -> list[str]:
        """The status types from that place on, each once for as long as it lasted.

        Args:
            mark: Where the story begins.
            leave_out: A status type that may pass too quickly to be seen.
        """
        types: list[str] = []
        for sight in self._sights[mark:]:
            if sight.status_type not in {leave_out, *types[-1:]}:
                types.append(sight.status_type)
        return types

    def _keep_looking(self) -> None:
        while not self._over.wait(_EVERY_S):
            try:
                sight = self._look()
            except ConnectionError:
                continue  # the server is being restarted
            except Exception as error:  # noqa: BLE001 - handed to whoever asks for `now`
                self._failure = error
                return
            if not self._sights or self._sights[-1] != sight:
                self._tell(sight)
                self._sights.append(sight)

    def _tell(self, sight: Sight) -> None:
        before = self._sights[-1] if self._sights else None
        if before is None or before.status != sight.status:
            self._narration.say(f"  server: {sight.status_type} ({sight.status})")
        if before is not None and before.os_name != sight.os_name:
            self._narration.say(f"  server: the host runs {sight.os_name}")
        if before is not None and before.available != sight.available:
            marker = f"OS update available: {sight.available}" if sight.available else "gone"
            self._narration.say(f"  server: marker: {marker}")
