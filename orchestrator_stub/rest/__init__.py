# SPDX-License-Identifier: Apache-2.0
"""The REST API for operators: paths, names and rules of protocol.md §3b and §5.

Each noun has a module with its routes and what they take (`bodies`), and one in `documents` with
what they answer. `context` lets callers in, `lists` pages, `filtering` reads filters, `openapi`
says all of it to machines.
"""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator_stub.rest import (
    all_schedules,
    hosts,
    instances,
    operating_systems,
    policies,
    regions,
    repeated_schedules,
    rollouts,
    runs,
    schedules,
    single_schedules,
    sites,
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
            single_schedules.router, repeated_schedules.router, all_schedules.router
        ),
        sites.router,
        regions.router,
        rollouts.router,
    ]
