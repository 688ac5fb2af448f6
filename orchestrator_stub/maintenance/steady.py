# SPDX-License-Identifier: Apache-2.0
"""Steady state: a poll that changes nothing is answered from memory.

What a node was told the last time holds while these stay as they are: what it says, the token that
it presents, the project's revision (`records.revision`), and the versions of its host and its
instance. One small query asks for these numbers, for several polls at once, so it does not matter
which process has changed something. Only the closest single schedule moves with the time alone; it
is chosen anew each time.

Every ten minutes or so a poll is answered from the records all the same: what a writer should have
raised a version for and did not comes right by itself. How long an answer is kept differs from host
to host, so that a fleet that was answered at once, after a restart, is not read at once for ever.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, select

from orchestrator_stub.access.node_token import NodeIdentity
from orchestrator_stub.database import Database
from orchestrator_stub.maintenance.answering import Found, Told
from orchestrator_stub.maintenance.poll import Call, Poll
from orchestrator_stub.records import Host, Instance, Project
from puad.core.wire import Answer

REMEMBERED_FOR_S: Final = 900
"""No answer is kept for longer, none for less than half of it."""

MAX_REMEMBERED: Final = 50_000
_Key = tuple[str, str]

_VERSIONS: Final = (
    select(
        Host.id,
        Project.revision,
        Host.version,
        Host.state,
        Host.tokens_valid_from_s,
        Instance.version,
        Instance.state,
    )
    .select_from(Host)
    .join(Instance, Instance.host_id == Host.id)
    .join(Project, Project.uuid == Host.project_uuid)
    .where(Host.id.in_(bindparam("host_ids", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What one node was told, and what must be as it was for that to hold."""

    host_id: str
    node: NodeIdentity
    said: bytes
    versions: tuple[Any, ...]
    told: Told
    at_s: int

    def holds_at(self, now_s: int) -> bool:
        """Whether it is neither too old nor, by the clock, from the future."""
        half = REMEMBERED_FOR_S // 2
        kept_for_s = half + zlib.crc32(f"{self.host_id} {self.at_s}".encode()) % half
        return 0 <= now_s - self.at_s <= kept_for_s


class Steady:
    """What each node was told the last time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._memories: dict[_Key, _Memory] = {}
        self._lock = threading.Lock()

    def knows(self, call: Call) -> bool:
        """Whether a call is like the last one of its node; what it was told may have changed."""
        return self._memory_of(call) is not None

    def recall(self, calls: Sequence[Call | Poll]) -> list[tuple[str, Answer] | None]:
        """The host of each call, and what its node is told; None when the records must be asked."""
        memories = [self._memory_of(call) for call in calls]
        host_ids = [memory.host_id for memory in memories if memory is not None]
        versions = self._versions(host_ids) if host_ids else {}
        return [
            (memory.host_id, memory.told.at(call.now_s))
            if memory is not None and versions.get(memory.host_id) == memory.versions
            else None
            for memory, call in zip(memories, calls, strict=True)
        ]

    def _memory_of(self, call: Call | Poll) -> _Memory | None:
        memory = self._memories.get(_key(call))
        is_same = (
            memory is not None
            and memory.said == call.said
            and memory.node == call.node
            and memory.holds_at(call.now_s)
        )
        return memory if is_same else None

    def _versions(self, host_ids: list[str]) -> dict[str, tuple[Any, ...]]:
        rows = self._database.glance(_VERSIONS, {"host_ids": host_ids})
        return {row[0]: tuple(row[1:]) for row in rows}

    def remember(self, poll: Poll, found: Found, told: Told) -> None:
        """Keep what a node is told, as it was found without changing anything."""
        memory = _Memory(
            host_id=found.host.id,
            node=poll.node,
            said=poll.said,
            versions=_versions_of(found),
            told=told,
            at_s=poll.now_s,
        )
        with self._lock:
            self._memories.pop(_key(poll), None)
            while len(self._memories) >= MAX_REMEMBERED:
                self._memories.pop(next(iter(self._memories)))
            self._memories[_key(poll)] = memory

    def forget(self, poll: Poll) -> None:
        """Let the next poll of a node be answered from the records."""
        with self._lock:
            self._memories.pop(_key(poll), None)


def _versions_of(found: Found) -> tuple[Any, ...]:
    host, instance = found.host, found.instance
    return (
        found.revision,
        host.version,
        host.state,
        host.tokens_valid_from_s,
        instance.version,
        instance.state,
    )


def _key(call: Call | Poll) -> _Key:
    """Nobody reports for another host than the one that its token is for."""
    return call.node.project_uuid, call.node.subject
