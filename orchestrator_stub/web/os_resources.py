# SPDX-License-Identifier: Apache-2.0
"""OS Resources: every image the release service has published, and the hosts on each."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.os_resources.taking import Refresh
from orchestrator_stub.records import OSResource
from orchestrator_stub.rollouts import control
from orchestrator_stub.web import cves, quarantine, queries_os
from orchestrator_stub.web.messages import Tone
from orchestrator_stub.web.visit import Changing, Visiting, sentence

PATH = "/os-resources"

router = APIRouter(include_in_schema=False, prefix=PATH)


@router.get("")
def os_resources(visit: Visiting) -> Response:
    """List the OS resources by profile."""
    with visit.reading() as session:
        values = {
            "profiles": queries_os.by_profile(session, visit.project.uuid),
            "can_refresh": visit.services.resource_manager is not None,
        }
        return visit.page("os_resources.html", values)


@router.get("/{os_id}")
def os_resource(visit: Visiting, os_id: str) -> Response:
    """Show one OS resource with its CVE lists."""
    with visit.reading() as session:
        row = visit.mine(session, OSResource, os_id)
        values = {
            "os": row,
            "hosts": queries_os.hosts_on(session, visit.project.uuid).get(row.id, 0),
            "quarantined": quarantine.counts(session, visit.project.uuid)[row.file_hash],
            "lists": [
                ("CVEs fixed", cves.read(row.fixed_cves)),
                ("CVEs known in it", cves.read(row.existing_cves)),
            ],
        }
        return visit.page("os_resource.html", values)


@router.post("/refresh")
def refresh(visit: Changing) -> Response:
    """Look for new releases now."""
    manager = visit.services.resource_manager
    if manager is None:
        return visit.to(
            PATH,
            "No release service is configured for this orchestrator. "
            "Start it with --release-url or --release-dir, and --release-root.",
            Tone.REFUSED,
        )
    try:
        result = manager.refresh()
    except OrchestratorError as error:
        return visit.to(PATH, sentence(error), Tone.REFUSED)
    return visit.to(PATH, told(result), Tone.REFUSED if result.refused else Tone.DONE)


@router.post("/{os_id}/retry")
def try_again_everywhere(visit: Changing, os_id: str) -> Response:
    """Have every node that has the image in quarantine try it again."""

    def change(session: Session) -> str:
        row = visit.mine(session, OSResource, os_id)
        count = control.release_everywhere(session, row)
        hosts = f"{count:,} {'host tries' if count == 1 else 'hosts try'}"
        return f"{hosts} {row.name} again; each node hears of it at its next poll."

    return visit.change(PATH, change)


def told(result: Refresh) -> str:
    """What a look at the release service has changed, in words."""
    parts = []
    if result.created:
        parts.append(f"{len(result.created)} new: {', '.join(result.created)}.")
    if result.withdrawn:
        parts.append(f"{len(result.withdrawn)} withdrawn: {', '.join(result.withdrawn)}.")
    if result.refused:
        parts.append(f"{len(result.refused)} refused: {'; '.join(result.refused)}.")
    if result.incomplete:
        parts.append(f"{len(result.incomplete)} incomplete: {'; '.join(result.incomplete)}.")
    return " ".join(parts) or f"Nothing new: {result.known} known already."
