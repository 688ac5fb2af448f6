# SPDX-License-Identifier: Apache-2.0
"""How an update ended: as its image wants it, as its node has it, as the server says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator_stub.maintenance.status import UPDATE_STATUS
from puad.core.codes import FailureReason
from puad.core.run import State
from puad.core.wire import StatusType
from tests.integration.orchestrator_stub.running import Orchestrator
from tests.simulator.characters import Character
from tests.simulator.node import Node

_PAGE: Final = 100
_REASONS: Final = {
    Character.HEALTHY: "",
    Character.UNHEALTHY: FailureReason.CRITICAL_SERVICES.value,
    Character.EMERGENCY: FailureReason.CRITICAL_SERVICES.value,
    Character.DEAD: FailureReason.BOOTLOADER.value,
}


@dataclass(frozen=True, slots=True)
class End:
    """How one update ended.

    Attributes:
        image_id: What the node runs now.
        update_status: What the server says of its updates.
        runs: The statuses of its update runs, oldest first.
        reason: Why the last one failed, in the update log's word.
        quarantined: Whether the node has an image in quarantine.
    """

    image_id: str
    update_status: str
    runs: tuple[str, ...]
    reason: str = ""
    quarantined: bool = False


def wanted(character: Character, before: str, image_id: str) -> End:
    """How one update to an image of that character should end.

    Args:
        character: How the image behaves on this node.
        before: What ran before.
        image_id: The image.
    """
    if character is Character.HEALTHY:
        return End(image_id, _text(StatusType.UP_TO_DATE), (_text(StatusType.UPDATED),))
    failed = _text(StatusType.FAILED)
    return End(before, failed, (failed,), _REASONS[character], quarantined=True)


def of_node(node: Node, at_server: End) -> End:
    """How it ended at the node; what only a server can say is as it says."""
    words = {State.DONE.value: StatusType.UPDATED, State.ROLLED_BACK.value: StatusType.FAILED}
    runs = (words.get(past.state, StatusType.UNSPECIFIED) for past in node.memory.history)
    return replace(
        at_server,
        image_id=node.image_id,
        runs=tuple(map(_text, runs)),
        quarantined=bool(node.run.quarantine),
    )


def told(orchestrator: Orchestrator) -> dict[str, End]:
    """How it ended as the server has it, by the name of the host."""
    statuses, details = defaultdict[str, list[str]](list), dict[str, str]()
    for run in _all(orchestrator, "os_update_run", "osUpdateRuns", "startTime"):
        host = run["instance"]["host"]["name"]
        statuses[host].append(run["status"])
        details[host] = run["statusDetails"]
    found = {}
    for host in _all(orchestrator, "compute/hosts", "hosts", "name"):
        name, instance = host["name"], host["instance"]
        found[name] = End(
            image_id=instance["imageId"],
            update_status=instance["updateStatus"],
            runs=tuple(statuses[name]),
            reason=_reason(details.get(name, "")),
            quarantined=bool(instance["quarantine"]),
        )
    return found


def _all(
    orchestrator: Orchestrator, path: str, plural: str, order: str
) -> Iterator[dict[str, Any]]:
    offset, more = 0, True
    while more:
        page = orchestrator.get(f"{path}?pageSize={_PAGE}&offset={offset}&orderBy={order}")
        yield from page[plural]
        offset, more = offset + _PAGE, page["hasNext"]


def _reason(details: str) -> str:
    if not details:
        return ""
    reason = str(json.loads(details)["update_log"][-1]["failure_reason"])
    return "" if reason == FailureReason.NO_FAILURE.value else reason


def _text(status: StatusType) -> str:
    return UPDATE_STATUS[status].text
