# SPDX-License-Identifier: Apache-2.0
"""The maintenance manager: what nodes report, what they are told, and how their runs went."""

from orchestrator_stub.maintenance.manager import MaintenanceManager, answer
from orchestrator_stub.maintenance.poll import Poll
from orchestrator_stub.maintenance.settings import MaintenanceSettings

__all__ = ["MaintenanceManager", "MaintenanceSettings", "Poll", "answer"]
