# SPDX-License-Identifier: Apache-2.0
"""CVEs as the pages show them, and which ones an update fixes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator_stub.records import OSResource
from puad.core.version import compare_versions

_PRIORITIES: Final = ("critical", "high", "medium", "low")


@dataclass(frozen=True, slots=True)
class CVE:
    """One entry of a CVE list."""

    id: str
    priority: str
    packages: tuple[str, ...]


def read(rows: Iterable[Mapping[str, Any]]) -> tuple[CVE, ...]:
    """The entries of a CVE list, the worst first; each once."""
    found: dict[str, CVE] = {}
    for row in rows:
        packages = row.get("affected_packages")
        one = CVE(
            id=str(row.get("cve_id", "")),
            priority=str(row.get("priority", "")).lower(),
            packages=tuple(map(str, packages)) if isinstance(packages, list) else (),
        )
        found.setdefault(one.id, one)
    return tuple(sorted(found.values(), key=lambda one: (_rank(one.priority), one.id)))


def fixed_between(
    resources: Iterable[OSResource], running: str, wanted: OSResource
) -> tuple[CVE, ...]:
    """What is fixed on the way from the image that runs to another: every release in between."""
    steps = [
        resource
        for resource in resources
        if resource.profile_name == wanted.profile_name
        and compare_versions(resource.image_id, running) > 0
        and compare_versions(resource.image_id, wanted.image_id) <= 0
    ]
    return read(row for resource in steps for row in resource.fixed_cves)


def _rank(priority: str) -> int:
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)
