# SPDX-License-Identifier: Apache-2.0
"""What the request handlers of one running orchestrator share."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_stub.database import Database
from orchestrator_stub.resource_manager import ResourceManager


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the API.

    Attributes:
        database: Every record.
        secret_key: Signs and verifies node tokens.
        api_token: What an operator's client must present.
        resource_manager: Reads the release service; None when none is configured.
    """

    database: Database
    secret_key: str
    api_token: str
    resource_manager: ResourceManager | None = None

    def __repr__(self) -> str:
        return f"Services({self.database!r})"  # never the secrets
