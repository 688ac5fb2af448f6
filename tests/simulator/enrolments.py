# SPDX-License-Identifier: Apache-2.0
"""Enrolling many hosts at once, straight into an orchestrator's database, as `enrol` does one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from sqlalchemy.orm import Session

from orchestrator_stub import enrolment
from orchestrator_stub.commands.command import open_database, project_named
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.enrolment import Candidate
from tests.simulator.fleet import Identity

_LIFETIME_S: Final = 365 * 86_400
_AT_ONCE: Final = 500
"""Hosts in one transaction, so that a server that runs meanwhile does not wait for long."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A host of the records, and what its node knows."""

    identity: Identity
    host_id: str
    instance_id: str


def candidates(count: int, profile: str, image_id: str, prefix: str = "node") -> list[Candidate]:
    """Hosts that are to be enrolled: `node-00001` and so on, always with the same GUIDs."""
    return [
        Candidate(
            f"{prefix}-{number:05}",
            str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{prefix}-{number}.{profile}.test")),
            profile,
            image_id,
        )
        for number in range(1, count + 1)
    ]


def enrol_many(
    directory: DataDirectory, wanted: Sequence[Candidate], site_id: str | None = None
) -> list[Enrolled]:
    """Enrol hosts in the only project.

    Args:
        directory: The orchestrator's.
        wanted: The hosts.
        site_id: Where they stand; None for nowhere.
    """
    key, now_s = directory.secret_key(), int(time.time())

    def enrol(session: Session, candidate: Candidate) -> Enrolled:
        host = enrolment.enrol(session, project_named(session, ""), candidate)
        host.site_id = site_id
        result = enrolment.token_for(host, key, now_s, _LIFETIME_S)
        identity = Identity(
            candidate.name, result.guid, result.token, candidate.profile, candidate.image_id
        )
        return Enrolled(identity, result.host_id, result.instance_id)

    def enrol_all(some: Sequence[Candidate], session: Session) -> list[Enrolled]:
        return [enrol(session, candidate) for candidate in some]

    enrolled: list[Enrolled] = []
    with open_database(directory) as database:
        for some in _batches(wanted):
            enrolled += database.write(partial(enrol_all, some))
    return enrolled


def _batches(wanted: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    rest = iter(wanted)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
