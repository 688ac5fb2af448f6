# SPDX-License-Identifier: Apache-2.0
"""The available update of every instance, kept true whenever OS resources change.

It is stored, so that lists can be searched and sorted by it, and that no poll has to compute it.
Only what differs is written. The version of a changed instance rises, so that whoever has read it
before looks again.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, select, update
from sqlalchemy.orm import Session

from orchestrator_stub.os_resources.images import OSResources
from orchestrator_stub.records import Instance

_AT_ONCE: Final = 500
"""Image ids in one statement: databases bound the number of its parameters."""


def keep_available(session: Session, project_uuid: str, resources: OSResources) -> int:
    """Write down what each instance of a project could be updated to now.

    Returns:
        How many instances have changed.
    """
    running = select(Instance.profile_name, Instance.image_id, Instance.available_os_id)
    wanted: dict[tuple[str, str | None], list[str]] = {}
    for profile_name, image_id, known in session.execute(
        running.where(Instance.project_uuid == project_uuid).distinct()
    ):
        newer = resources.newer(profile_name, image_id)
        available = newer.id if newer else None
        if available != known:
            wanted.setdefault((profile_name, available), []).append(image_id)
    return sum(
        _set(session, project_uuid, profile_name, available, image_ids[start : start + _AT_ONCE])
        for (profile_name, available), image_ids in wanted.items()
        for start in range(0, len(image_ids), _AT_ONCE)
    )


def _set(
    session: Session,
    project_uuid: str,
    profile_name: str,
    available: str | None,
    image_ids: list[str],
) -> int:
    changed: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # it has a rowcount
        update(Instance)
        .where(
            Instance.project_uuid == project_uuid,
            Instance.profile_name == profile_name,
            Instance.image_id.in_(image_ids),
            _is_other(available),
        )
        .values(available_os_id=available, version=Instance.version + 1)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount


def _is_other(available: str | None) -> ColumnElement[bool]:
    return Instance.available_os_id.is_distinct_from(available)
