# SPDX-License-Identifier: Apache-2.0
"""The REST API for operators: paths, names and rules of protocol.md §3b and §5."""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator_stub.rest import (
    hosts,
    instances,
    operating_systems,
    policies,
    repeated_schedules,
    runs,
    schedules,
    single_schedules,
)


def routers() -> list[APIRouter]:
    """Every router of the API."""
    return [
        hosts.router,
        instances.router,
        operating_systems.router,
        policies.router,
        runs.router,
        *schedules.under_both_paths(
            single_schedules.router, repeated_schedules.router, schedules.router
        ),
    ]
