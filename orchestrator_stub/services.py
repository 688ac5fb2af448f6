# SPDX-License-Identifier: Apache-2.0
"""What the request handlers of one running orchestrator share."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator_stub.access.access import Access
from orchestrator_stub.database import Database
from orchestrator_stub.maintenance import MaintenanceManager
from orchestrator_stub.os_resources.manager import ResourceManager


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the API.

    Attributes:
        database: Every record.
        secret_key: Signs and verifies node tokens.
        api_token: What an operator's client must present.
        maintenance: Answers nodes, and looks after their update runs.
        resource_manager: Reads the release service; None when none is configured.
        access: Who calls, and what they may do.
    """

    database: Database
    secret_key: str
    api_token: str
    maintenance: MaintenanceManager
    resource_manager: ResourceManager | None = None
    access: Access = field(kw_only=True)

    def __repr__(self) -> str:
        return f"Services({self.database!r})"  # never the secrets
