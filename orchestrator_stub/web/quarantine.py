# SPDX-License-Identifier: Apache-2.0
"""On how many hosts an image is in quarantine: what the pages say of it.

An image is known by its file hash. What a node has in quarantine and an operator has released
stands in the instance's `released` until the node says that it has taken it up.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from orchestrator_stub.records import Instance


def counts(session: Session, project_uuid: str) -> Counter[str]:
    """On how many hosts each image is in quarantine and has not been released, by file hash."""
    rows = session.execute(
        select(Instance.quarantine, Instance.released).where(
            Instance.project_uuid == project_uuid,
            # few instances have any: a look at the text spares reading ten thousand lists
            cast(Instance.quarantine, Text) != "[]",
        )
    )
    return Counter(one for kept, released in rows for one in kept if one not in released)
