# SPDX-License-Identifier: Apache-2.0
"""What a publication does to the OS resources and to what instances could be updated to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator_stub import enrolment
from orchestrator_stub.database import Database
from orchestrator_stub.enrolment import Candidate
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.os_resources.taking import Refresh, take
from orchestrator_stub.records import Instance, OSResource, Project
from orchestrator_stub.release.catalogue import Catalogue, Withdrawal
from orchestrator_stub.release_service import Document, ProfileEntry, Publication
from puad.core.profile import OSProfile
from puad.core.wire import OSType

PROJECTS = {
    "default": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "other": "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee",
}
CVE = {"cve_id": "CVE-2026-1", "priority": "high", "affected_packages": ["openssl"]}
ANOTHER = {"cve_id": "CVE-2026-2", "priority": "low", "affected_packages": []}
PACKAGES = {"repo": [{"name": "openssl", "version": "3"}]}


def profile(version: str, name: str = "edge", salt: str = "", **changes: Any) -> OSProfile:
    return OSProfile(
        name=f"{name} {version}",
        profile_name=name,
        image_url=f"{name}/{version}.raw.zst",
        image_id=version,
        file_hash=hashlib.sha256(f"{name} {version} {salt}".encode()).hexdigest(),
        **changes,
    )


def with_documents(version: str, **changes: Any) -> OSProfile:
    return profile(
        version,
        package_manifest_url=f"edge/{version}_pkg.json",
        existing_cves_url=f"edge/{version}_cve.json",
        fixed_cves_url=f"edge/{version}_fixed.json",
        **changes,
    )


def document(value: object) -> Document:
    data = json.dumps(value).encode()
    return Document(hashlib.sha256(data).hexdigest(), data)


@pytest.fixture
def projects(database: Database) -> Database:
    with database.writing() as session:
        session.add_all(Project(uuid=uuid, name=name) for name, uuid in PROJECTS.items())
    return database


def published(
    database: Database,
    *profiles: OSProfile,
    documents: Mapping[str, Document] | None = None,
    withdrawn: tuple[str, ...] = (),
    enabled: frozenset[str] = frozenset(),
) -> Refresh:
    entries = tuple(ProfileEntry(f"{one.name}.yaml", one) for one in profiles)
    gone = tuple(Withdrawal("edge", v, "it breaks", "2026-01-01T00:00:00Z") for v in withdrawn)
    publication = Publication(entries, Catalogue((), gone), documents or {})
    with database.writing() as session:
        return take(session, publication, Selection(enabled_profiles=enabled))


def resource(database: Database, version: str, project: str = "default") -> OSResource:
    with database.reading() as session:
        wanted = select(OSResource).where(
            OSResource.image_id == version, OSResource.project_uuid == PROJECTS[project]
        )
        return session.scalars(wanted).one()


def revision(database: Database) -> int:
    with database.reading() as session:
        return session.get_one(Project, PROJECTS["default"]).revision


def test_every_project_gets_its_resource_once(projects: Database) -> None:
    assert published(projects, profile("1.0")).created == ["edge 1.0", "edge 1.0"]
    before = revision(projects)
    again = published(projects, profile("1.0"))
    assert (again.created, again.known, again.refused) == ([], 2, [])
    assert revision(projects) == before
    for project in PROJECTS:
        assert resource(projects, "1.0", project).file_hash == profile("1.0").file_hash


def test_only_enabled_profiles_are_taken(projects: Database) -> None:
    result = published(
        projects, profile("1.0"), profile("7", "kiosk"), enabled=frozenset({"kiosk"})
    )
    assert result.created == ["kiosk 7", "kiosk 7"]
    assert result.refused == []


def test_changed_hash_is_refused_and_flagged_until_it_is_gone(projects: Database) -> None:
    published(projects, profile("1.0"))
    changed = profile("1.0", salt="other bytes")
    for _ in range(2):
        result = published(projects, changed, profile("2.0"))
        assert "edge 1.0: it is known with another file hash" in result.refused
        row = resource(projects, "1.0")
        assert (row.file_hash, row.refused_hash) == (profile("1.0").file_hash, changed.file_hash)
    assert resource(projects, "2.0").refused_hash == ""
    published(projects, profile("2.0"))
    assert resource(projects, "1.0").refused_hash == ""
    published(projects, changed)
    published(projects, profile("1.0"))
    assert resource(projects, "1.0").refused_hash == ""


def test_documents_are_taken_with_a_new_release(projects: Database) -> None:
    documents = {
        "edge/1.0_pkg.json": document(PACKAGES),
        "edge/1.0_cve.json": document([CVE]),
        "edge/1.0_fixed.json": document([ANOTHER]),
    }
    result = published(projects, with_documents("1.0"), documents=documents)
    assert (result.created, result.incomplete) == (["edge 1.0", "edge 1.0"], [])
    for project in PROJECTS:
        row = resource(projects, "1.0", project)
        assert json.loads(row.installed_packages) == PACKAGES
        assert (row.existing_cves, row.fixed_cves) == ([CVE], [ANOTHER])
        assert row.existing_cves_url == "edge/1.0_cve.json"


BROKEN = [
    Document(broken="the signed metadata do not list it"),
    Document("ab", b"not JSON"),
    Document("ab", b"{}"),
]


@pytest.mark.parametrize("broken", BROKEN)
def test_release_without_its_package_manifest_is_not_made(
    projects: Database, broken: Document
) -> None:
    documents = {
        "edge/1.0_pkg.json": broken,
        "edge/1.0_cve.json": document([]),
        "edge/1.0_fixed.json": document([]),
    }
    result = published(projects, with_documents("1.0"), profile("2.0"), documents=documents)
    assert result.created == ["edge 2.0", "edge 2.0"]
    assert set(result.refused) == {"edge 1.0: its package manifest cannot be read"}
    assert len(result.incomplete) == 1
    mutable = profile("3.0", os_type=OSType.MUTABLE, package_manifest_url="edge/1.0_pkg.json")
    assert published(projects, mutable, documents=documents).created[0] == "edge 3.0"


@pytest.mark.parametrize("broken", BROKEN)
def test_list_of_cves_that_cannot_be_read_keeps_nobody_from_the_image(
    projects: Database, broken: Document
) -> None:
    documents = {
        "edge/1.0_pkg.json": document(PACKAGES),
        "edge/1.0_cve.json": broken,
        "edge/1.0_fixed.json": document([ANOTHER]),
    }
    result = published(projects, with_documents("1.0"), documents=documents)
    assert result.created
    assert [line.partition(":")[0] for line in result.incomplete] == ["edge/1.0_cve.json"]
    assert resource(projects, "1.0").existing_cves == []


def test_cves_are_refreshed_and_reach_who_runs_the_image(projects: Database) -> None:
    documents = {
        "edge/1.0_pkg.json": document(PACKAGES),
        "edge/1.0_cve.json": document([]),
        "edge/1.0_fixed.json": document([]),
    }
    published(projects, with_documents("1.0"), documents=documents)
    enrol(projects, "1.0")
    before = revision(projects)
    unchanged = {path: Document(one.sha256) for path, one in documents.items()}
    published(projects, with_documents("1.0"), documents=unchanged)
    assert revision(projects) == before
    changed = {**unchanged, "edge/1.0_cve.json": document([CVE])}
    published(projects, with_documents("1.0"), documents=changed)
    assert resource(projects, "1.0").existing_cves == [CVE]
    assert resource(projects, "1.0").fixed_cves == []
    assert json.loads(resource(projects, "1.0").installed_packages) == PACKAGES
    assert instance(projects).existing_cves == [CVE]
    broken = {**unchanged, "edge/1.0_cve.json": Document(broken="it is not listed")}
    result = published(projects, with_documents("1.0"), documents=broken)
    assert result.incomplete == ["edge/1.0_cve.json: it is not listed"]
    assert resource(projects, "1.0").existing_cves == [CVE]


def enrol(database: Database, image_id: str, name: str = "edge-1") -> None:
    guid = str(hashlib.sha256(name.encode()).hexdigest())
    guid = f"{guid[:8]}-{guid[8:12]}-{guid[12:16]}-{guid[16:20]}-{guid[20:32]}"
    with database.writing() as session:
        project = session.get_one(Project, PROJECTS["default"])
        enrolment.enrol(session, project, Candidate(name, guid, "edge", image_id))


def instance(database: Database, name: str = "edge-1") -> Instance:
    with database.reading() as session:
        wanted = select(Instance).where(Instance.name == f"{name}-instance")
        return session.scalars(wanted).unique().one()


def available(database: Database, name: str = "edge-1") -> str | None:
    found = instance(database, name).available_os
    return found.image_id if found else None


def test_available_update_follows_what_is_published_and_withdrawn(projects: Database) -> None:
    for name, image_id in (("old", "1.0"), ("new", "2.0"), ("newest", "9.0"), ("blank", "")):
        enrol(projects, image_id, name)
    everybody = ("old", "new", "newest", "blank")

    def seen() -> list[str | None]:
        return [available(projects, name) for name in everybody]

    published(projects, profile("1.0"), profile("2.0"), profile("4.0", "kiosk"))
    assert seen() == ["2.0", None, None, None]
    published(projects, profile("1.0"), profile("2.0"), profile("3.0"))
    assert seen() == ["3.0", "3.0", None, None]
    published(projects, profile("1.0"), profile("2.0"), withdrawn=("3.0",))
    assert seen() == ["2.0", None, None, None]
    published(projects, profile("1.0"), profile("2.0"), profile("3.0"))
    assert seen() == ["3.0", "3.0", None, None]


def test_available_update_raises_the_version_only_where_it_changes(projects: Database) -> None:
    enrol(projects, "1.0", "old")
    enrol(projects, "9.0", "newest")
    published(projects, profile("2.0"))
    assert (instance(projects, "old").version, instance(projects, "newest").version) == (2, 1)
    published(projects, profile("2.0"))
    assert instance(projects, "old").version == 2


def test_build_of_the_same_day_is_newer_by_its_number(projects: Database) -> None:
    enrol(projects, "3.0.20250717.0732")
    published(projects, profile("3.0.20250717.0732"), profile("3.0.20250717.1000"))
    assert available(projects) == "3.0.20250717.1000"


def test_mutable_os_is_no_available_update(projects: Database) -> None:
    enrol(projects, "1.0")
    published(projects, profile("2.0", os_type=OSType.MUTABLE))
    assert available(projects) is None


def test_nobody_is_linked_to_a_new_release(projects: Database) -> None:
    enrol(projects, "1.0")
    published(projects, profile("2.0"))
    assert instance(projects).os_id is None
    assert instance(projects).policy_id is None
