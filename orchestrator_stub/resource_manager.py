# SPDX-License-Identifier: Apache-2.0
"""The OS resource manager: it makes an OS resource of every OS profile that is published.

Rules (protocol.md §4, with its flaws mended):

1. An OS resource is keyed by profile and image id. What is known already is left as it is, and
   another file hash under a known image id is refused and logged.
2. It never links an OS resource to an instance; policies and nodes do.
3. One broken profile does not stop the others.
4. A withdrawn release stays, flagged with the reason; it is offered to nobody (see `plan`).
5. `revision` keeps what this orchestrator is compatible with: `1.2.3` takes that app version
   only, `~1.2.3` every 1.2.x from 1.2.3 on, an empty one takes all.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.database import Database
from orchestrator_stub.errors import OrchestratorError
from orchestrator_stub.release_service import Publication, ReleaseService
from orchestrator_stub.tables import OSResource, Project
from puad.core.profile import OSProfile

RETRY_S: Final = 300
_STOP_WAIT_S: Final = 5.0
_REVISION: Final = re.compile(r"~?(\d{1,9})\.(\d{1,9})\.(\d{1,9})")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Refresh:
    """What one look at the release service changed.

    Attributes:
        created: New OS resources, as `profile version`.
        withdrawn: OS resources that are withdrawn since the last look.
        refused: Published profiles that were not taken, each with the reason.
        known: How many were known already.
    """

    created: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    known: int = 0


class ResourceManager:
    """Looks for new OS profiles, now and then and on request."""

    def __init__(
        self, database: Database, service: ReleaseService, revision: str, period_s: int
    ) -> None:
        self._database = database
        self._service = service
        self._revision = revision
        self._period_s = period_s
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resource-manager", daemon=True)

    def start(self) -> None:
        """Refresh now and then, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the periodic refresh."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WAIT_S)

    def refresh(self) -> Refresh:
        """Read the release service now.

        Raises:
            OrchestratorError: When it cannot be read or verified; the records are as before.
        """
        with self._one_at_a_time:
            publication = self._service.read()
            with self._database.writing() as session:
                return take(session, publication, self._revision)

    def _run(self) -> None:
        wait_s = 0
        while not self._stopping.wait(wait_s):
            wait_s = self._period_s
            try:
                self.refresh()
            except OrchestratorError as error:
                wait_s = min(self._period_s, RETRY_S)
                # the message says it all; a trace is for what nobody foresaw
                log.error(  # noqa: TRY400 - see above
                    "OS profiles were not refreshed, next try in %d s: %s", wait_s, error
                )
            except Exception:
                wait_s = min(self._period_s, RETRY_S)
                log.exception("OS profiles were not refreshed, next try in %d s", wait_s)


def is_compatible(app_version: str, revision: str) -> bool:
    """Whether a profile's app version satisfies a revision rule."""
    if not revision:
        return True
    wanted, found = _REVISION.fullmatch(revision), _REVISION.fullmatch(app_version)
    if wanted is None or found is None or app_version.startswith("~"):
        return False
    least, version = tuple(map(int, wanted.groups())), tuple(map(int, found.groups()))
    if not revision.startswith("~"):
        return version == least
    return version[:2] == least[:2] and version[2] >= least[2]


def take(session: Session, publication: Publication, revision: str) -> Refresh:
    """Make the records of every project follow what is published."""
    result = Refresh()
    profiles = []
    for entry in publication.entries:
        if entry.profile is None:
            result.refused.append(f"{entry.path}: {entry.broken}")
        elif not is_compatible(entry.profile.app_version, revision):
            result.refused.append(
                f"{entry.path}: app version {entry.profile.app_version or '(none)'} "
                f"is not compatible with {revision}"
            )
        else:
            profiles.append(entry.profile)
    for project_uuid in session.scalars(select(Project.uuid)):
        known = _known(session, project_uuid)
        for profile in profiles:
            _take_profile(session, project_uuid, known, profile, result)
        _flag_withdrawn(known, publication, result)
    for line in result.refused:
        log.warning("OS profile refused: %s", line)
    return result


def _known(session: Session, project_uuid: str) -> dict[tuple[str, str], OSResource]:
    rows = session.scalars(select(OSResource).where(OSResource.project_uuid == project_uuid))
    return {(row.profile_name, row.image_id): row for row in rows}


def _take_profile(
    session: Session,
    project_uuid: str,
    known: dict[tuple[str, str], OSResource],
    profile: OSProfile,
    result: Refresh,
) -> None:
    key = (profile.profile_name, profile.image_id)
    label = " ".join(key)
    resource = known.get(key)
    if resource is None:
        known[key] = _new_resource(project_uuid, profile)
        session.add(known[key])
        result.created.append(label)
        log.info("OS resource made: %s", label)
    elif resource.file_hash != profile.file_hash:
        result.refused.append(f"{label}: it is known with another file hash")
    else:
        result.known += 1


def _new_resource(project_uuid: str, profile: OSProfile) -> OSResource:
    return OSResource(
        project_uuid=project_uuid,
        name=profile.name,
        profile_name=profile.profile_name,
        image_id=profile.image_id,
        image_url=profile.image_url,
        file_hash=profile.file_hash,
        os_type=profile.os_type.value,
        os_provider=profile.provider.value,
        security_feature=profile.security_feature.value,
        architecture=profile.architecture,
        description=profile.description,
        platform_bundle=dict(profile.platform_bundle),
        installed_packages_url=profile.package_manifest_url,
        existing_cves_url=profile.existing_cves_url,
        fixed_cves_url=profile.fixed_cves_url,
        tls_ca_cert=profile.tls_ca_certificate,
    )


def _flag_withdrawn(
    known: Mapping[tuple[str, str], OSResource], publication: Publication, result: Refresh
) -> None:
    published = {
        (entry.profile.profile_name, entry.profile.image_id)
        for entry in publication.entries
        if entry.profile is not None
    }
    for key, resource in known.items():
        withdrawal = publication.catalogue.withdrawal(*key)
        if withdrawal is None:
            # only a new publication takes a withdrawal back: a catalogue may forget old ones
            if key in published:
                resource.withdrawn_reason = None
            continue
        if resource.withdrawn_reason is None:
            result.withdrawn.append(" ".join(key))
            log.warning("OS resource withdrawn: %s: %s", " ".join(key), withdrawal.reason)
        resource.withdrawn_reason = withdrawal.reason
