# SPDX-License-Identifier: Apache-2.0
"""Staged rollouts: an image reaches the instances of a policy wave by wave."""

from orchestrator_stub.rollouts.ledger import follow, sweep

__all__ = ["follow", "sweep"]
