# SPDX-License-Identifier: Apache-2.0
"""The backstop of waits on connections: whatever does not look up in time is shut down.

OpenSSL looks at no clock as long as there is something to read: a peer that sends nothing but new
keys, faster than they are taken, holds one read for as long as it likes, and the reader cannot look
up from it. So a thread that only watches shuts such a connection down, and the read ends.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_GLANCE_S: Final = 0.5


class Backstop:
    """Watches waits, in a thread of its own that sleeps while there are none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._waits: dict[socket.socket, float] = {}
        self._watcher: threading.Thread | None = None

    @contextlib.contextmanager
    def behind(self, connection: socket.socket, seconds: float) -> Iterator[None]:
        """Shut the connection down when the enclosed wait takes longer."""
        with self._changed:
            self._waits[connection] = self._clock() + seconds
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="backstop", daemon=True)
                self._watcher.start()
            elif len(self._waits) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._waits[connection]

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waits)
                now = self._clock()
                for connection, end in self._waits.items():
                    if now >= end:
                        _shut_down(connection)
            time.sleep(_GLANCE_S)


def _shut_down(connection: socket.socket) -> None:
    # that of the class: a TLS socket's own takes the TLS away from the thread that reads
    with contextlib.suppress(OSError):  # it is closed already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
