# SPDX-License-Identifier: Apache-2.0
"""Pace: how often one node may have something written.

What a poll changes costs the database a transaction, for which every other writer waits, and may
leave a row in the history. A node has something new with a change of its status, and with its
progress every 20 s. One that always has something new is broken, or somebody else's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from orchestrator_stub.errors import ThrottledError
from orchestrator_stub.maintenance.poll import Poll

AT_ONCE: Final = 120
"""What a node may have written in one go; after that once a second."""

MOST_KNOWN: Final = 50_000


class Pace:
    """What each node has had written of late, in this process's memory."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, poll: Poll) -> None:
        """Have something written for a node.

        Raises:
            ThrottledError: When it has had too much.
        """
        key = (poll.node.project_uuid, poll.host_guid)
        with self._lock:
            used, at_s = self._known.pop(key, (0, poll.now_s))
            used = max(used - max(poll.now_s - at_s, 0), 0)
            has_room = used < AT_ONCE
            self._known[key] = (used + has_room, poll.now_s)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        if not has_room:
            raise ThrottledError(
                f"the node on host {poll.host_guid} reports something new too often",
                retry_after_s=1,
            )
