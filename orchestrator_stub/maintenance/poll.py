# SPDX-License-Identifier: Apache-2.0
"""A poll: one call of one node, before and after its message is taken apart.

Nearly every message of a node is, byte for byte, its last one. So what it said is told from what it
said before by a fingerprint, and only something new is taken apart.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from orchestrator_stub.access.node_token import NodeIdentity
from puad.core.wire import StatusReport


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one node.

    Attributes:
        node: Who calls, by its token.
        said: Fingerprint of its message.
        now_s: When, Unix time.
    """

    node: NodeIdentity
    said: bytes
    now_s: int


@dataclass(frozen=True, slots=True)
class Poll:
    """One call of one node, with what it says.

    Attributes:
        node: Who calls, by its token.
        host_guid: The host that it reports for.
        report: What it reports.
        now_s: When, Unix time.
        said: Fingerprint of its message; where no message came, that of the report.
    """

    node: NodeIdentity
    host_guid: str
    report: StatusReport
    now_s: int
    said: bytes = b""

    def __post_init__(self) -> None:
        if not self.said:
            object.__setattr__(self, "said", fingerprint(repr(self.report).encode()))


def fingerprint(message: bytes) -> bytes:
    """What tells a message from any other."""
    return hashlib.blake2b(message, digest_size=16).digest()
