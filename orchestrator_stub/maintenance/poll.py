# SPDX-License-Identifier: Apache-2.0
"""A poll: one call of one node."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_stub.access.node_token import NodeIdentity
from puad.core.wire import StatusReport


@dataclass(frozen=True, slots=True)
class Poll:
    """One call of one node.

    Attributes:
        node: Who calls, by its token.
        host_guid: The host that it reports for.
        report: What it reports.
        now_s: When, Unix time.
    """

    node: NodeIdentity
    host_guid: str
    report: StatusReport
    now_s: int
