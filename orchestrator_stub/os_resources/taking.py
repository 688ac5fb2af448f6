# SPDX-License-Identifier: Apache-2.0
"""Taking: the OS resources of every project follow what is published.

Rules (protocol.md §4, with its flaws mended):

1. An OS resource is keyed by profile and image id. Of what is known only the lists of CVEs are
   refreshed. Another file hash under a known image id is never taken: the resource is flagged with
   it until it is gone from the release service.
2. A new one is made only with its package manifest. A list of CVEs that cannot be read is told,
   and keeps nobody from the image.
3. It never links an OS resource to an instance; policies and nodes do. What an instance could be
   updated to, and the CVEs of what it runs, are kept true.
4. One broken profile does not stop the others.
5. A withdrawn release stays, flagged with the reason; it is offered to nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from orchestrator_stub.os_resources.documents import DocumentError, parse_cves, parse_packages
from orchestrator_stub.os_resources.images import OSResources
from orchestrator_stub.os_resources.newest import keep_available
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.records import Instance, OSResource, Project
from orchestrator_stub.release_service import Document, Publication
from puad.core.profile import OSProfile
from puad.core.wire import OSType

Key = tuple[str, str]
_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Refresh:
    """What one look at the release service changed.

    Attributes:
        created: New OS resources, as `profile version`.
        withdrawn: OS resources that are withdrawn since the last look.
        refused: Published profiles that were not taken, each with the reason.
        incomplete: Documents that could not be read, each with the reason.
        known: How many were known already.
    """

    created: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    known: int = 0


def take(session: Session, publication: Publication, selection: Selection) -> Refresh:
    """Make the records of every project follow what is published."""
    result = Refresh()
    profiles = _select(publication, selection, result)
    library = Library(publication.documents, result)
    # one process at a time, in one order: what is new here would be new to the other as well
    projects = select(Project.uuid).order_by(Project.uuid).with_for_update()
    for project_uuid in session.scalars(projects).all():
        _Taking(session, project_uuid, library, result).take(profiles, publication)
    for line in (*result.refused, *result.incomplete):
        log.warning("OS profile: %s", line)
    return result


def _select(publication: Publication, selection: Selection, result: Refresh) -> list[OSProfile]:
    profiles = []
    for entry in publication.entries:
        if entry.profile is None:
            result.refused.append(f"{entry.path}: {entry.broken}")
        elif not selection.takes(entry.profile.profile_name):
            continue
        elif objection := selection.objection(entry.profile):
            result.refused.append(f"{entry.path}: {objection}")
        else:
            profiles.append(entry.profile)
    return profiles


class Library:
    """The documents that were fetched, each parsed once for all projects."""

    def __init__(self, documents: Mapping[str, Document], result: Refresh) -> None:
        self._documents = documents
        self._result = result
        self._parsed: dict[str, Any] = {}

    def read(self, path: str, parse: Callable[[bytes], _Value]) -> _Value | None:
        """What a document says; None when there is none, or none that is new and can be read."""
        if path and path not in self._parsed:
            self._parsed[path] = self._parse(path, parse)
        value: _Value | None = self._parsed.get(path)
        return value

    def _parse(self, path: str, parse: Callable[[bytes], _Value]) -> _Value | None:
        document = self._documents.get(path, Document(broken="it was not fetched"))
        broken = document.broken
        try:
            if document.data is not None:
                return parse(document.data)
        except DocumentError as error:
            broken = str(error)
        if broken:
            self._result.incomplete.append(f"{path}: {broken}")
        return None


class _Taking:
    """The work for one project."""

    def __init__(
        self, session: Session, project_uuid: str, library: Library, result: Refresh
    ) -> None:
        self._session = session
        self._project_uuid = project_uuid
        self._library = library
        self._result = result
        rows = session.scalars(select(OSResource).where(OSResource.project_uuid == project_uuid))
        self._known: dict[Key, OSResource] = {(row.profile_name, row.image_id): row for row in rows}

    def take(self, profiles: list[OSProfile], publication: Publication) -> None:
        for profile in profiles:
            self._take_profile(profile)
        self._forget_refused(publication)
        self._flag_withdrawn(publication)
        self._session.flush()
        resources = OSResources(self._session, self._project_uuid)
        keep_available(self._session, self._project_uuid, resources)

    def _take_profile(self, profile: OSProfile) -> None:
        key = (profile.profile_name, profile.image_id)
        resource = self._known.get(key)
        if resource is None:
            self._make(profile)
        elif resource.file_hash != profile.file_hash:
            resource.refused_hash = profile.file_hash
            self._result.refused.append(f"{' '.join(key)}: it is known with another file hash")
        else:
            self._result.known += 1
            resource.refused_hash = ""
            self._add_documents(resource, profile)

    def _make(self, profile: OSProfile) -> None:
        key = (profile.profile_name, profile.image_id)
        resource = _new_resource(self._project_uuid, profile)
        self._add_documents(resource, profile)
        has_packages = resource.installed_packages or not profile.package_manifest_url
        if profile.os_type is OSType.IMMUTABLE and not has_packages:
            self._result.refused.append(f"{' '.join(key)}: its package manifest cannot be read")
            return
        self._known[key] = resource
        self._session.add(resource)
        self._result.created.append(" ".join(key))
        log.info("OS resource made: %s", " ".join(key))

    def _add_documents(self, resource: OSResource, profile: OSProfile) -> None:
        if not resource.installed_packages:
            packages = self._library.read(profile.package_manifest_url, parse_packages)
            resource.installed_packages = packages or ""
        resource.fixed_cves_url = profile.fixed_cves_url
        resource.existing_cves_url = profile.existing_cves_url
        fixed = self._library.read(profile.fixed_cves_url, parse_cves)
        if fixed is not None and fixed != resource.fixed_cves:
            resource.fixed_cves = fixed
        existing = self._library.read(profile.existing_cves_url, parse_cves)
        if existing is not None and existing != resource.existing_cves:
            resource.existing_cves = existing
            self._tell_instances(resource)

    def _tell_instances(self, resource: OSResource) -> None:
        if resource not in self._session:
            return  # nobody runs what is new
        self._session.execute(
            update(Instance)
            .where(Instance.os_id == resource.id)
            .values(existing_cves=resource.existing_cves, version=Instance.version + 1)
            .execution_options(synchronize_session=False)
        )

    def _forget_refused(self, publication: Publication) -> None:
        hashes = {
            (entry.profile.profile_name, entry.profile.image_id): entry.profile.file_hash
            for entry in publication.entries
            if entry.profile is not None
        }
        for key, resource in self._known.items():
            if resource.refused_hash and hashes.get(key, "") != resource.refused_hash:
                resource.refused_hash = ""

    def _flag_withdrawn(self, publication: Publication) -> None:
        published = {
            (entry.profile.profile_name, entry.profile.image_id)
            for entry in publication.entries
            if entry.profile is not None
        }
        for key, resource in self._known.items():
            withdrawal = publication.catalogue.withdrawal(*key)
            if withdrawal is None:
                # only a new publication takes a withdrawal back: a catalogue may forget old ones
                if key in published:
                    resource.withdrawn_reason = None
                continue
            if resource.withdrawn_reason is None:
                self._result.withdrawn.append(" ".join(key))
                log.warning("OS resource withdrawn: %s: %s", " ".join(key), withdrawal.reason)
            resource.withdrawn_reason = withdrawal.reason


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
        tls_ca_cert=profile.tls_ca_certificate,
    )
