# SPDX-License-Identifier: Apache-2.0
"""The maintenance manager: what nodes report, what they are told, and how their runs went."""

from orchestrator_stub.maintenance.manager import MaintenanceManager, answer
from orchestrator_stub.maintenance.poll import Call, Poll, fingerprint
from orchestrator_stub.maintenance.settings import MaintenanceSettings

__all__ = ["Call", "MaintenanceManager", "MaintenanceSettings", "Poll", "answer", "fingerprint"]
