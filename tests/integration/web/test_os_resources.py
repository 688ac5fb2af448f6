# SPDX-License-Identifier: Apache-2.0
"""OS Resources: versions, CVEs, hosts, marks, and the two things that can be done there."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from orchestrator_stub.errors import ReleaseServiceError
from orchestrator_stub.os_resources.manager import ResourceManager
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.records import Host, Instance
from orchestrator_stub.release.catalogue import Catalogue, Withdrawal
from orchestrator_stub.release_service import ProfileEntry, Publication, ReleaseService
from puad.core.profile import OSProfile
from tests.integration.web.browser import Browser
from tests.integration.web.fleet import NONRT
from tests.integration.web.html import Element
from tests.integration.web.serving import World, services_over, serving


class Releases:
    """A release service that says what a test wants."""

    def __init__(self, publication: Publication | ReleaseServiceError) -> None:
        self.publication = publication

    def read(self, _wanted: object) -> Publication:
        if isinstance(self.publication, ReleaseServiceError):
            raise self.publication
        return self.publication


def profiles(browser: Browser) -> dict[str, Element]:
    found = browser.get("/os-resources").document.all("section", class_="card")
    return {one.one("h2").text: one for one in found}


def test_versions_stand_by_profile_the_newest_first(looker: Browser) -> None:
    found = profiles(looker)
    assert list(found) == ["kiosk", "microvisor-nonrt"]
    versions = [row["Version"].split()[0] for row in found["kiosk"].one("table").rows()]
    assert versions == ["1.10.0", "1.9.0", "1.8.2"]
    rows = found[NONRT].one("table").rows()
    assert rows[0]["CVEs fixed"] == "3 CVEs"
    assert rows[3]["CVEs fixed"] == "none listed"


def test_page_of_a_version_has_its_facts_and_cves(shared: World, looker: Browser) -> None:
    newest = shared.fleet.newest(NONRT)
    page = looker.get(f"/os-resources/{newest.id}")
    assert page.title == newest.name
    assert newest.file_hash in page.document.text
    assert "It failed on 1 host" in page.document.text
    for said in ("Immutable", "Infra", "Secure boot and full disk encryption"):
        assert said in [one.text for one in page.document.all("dd")]
    rows = page.table("3 CVEs, the worst first").rows()
    assert [(row["CVE"], row["Priority"]) for row in rows] == [
        ("CVE-2026-11402", "critical"),
        ("CVE-2026-11007", "medium"),
        ("CVE-2026-11388", "low"),
    ]
    assert "None listed." in page.document.one("section", aria_labelledby="list-2").text
    withdrawn = shared.fleet.images[NONRT, "3.0.20260714.0915"]
    page = looker.get(f"/os-resources/{withdrawn.id}")
    assert "This release was withdrawn: network does not come up" in page.document.text


def test_marks_say_newest_withdrawn_refused_and_quarantined(looker: Browser) -> None:
    found = profiles(looker)
    rows = found[NONRT].one("table").rows()
    assert rows[0]["Marks"] == "Newest In quarantine on 1 host Try again everywhere"
    assert rows[1]["Marks"] == "Withdrawn network does not come up on i225 cards"
    assert rows[2]["Marks"] == "-"
    kiosk = found["kiosk"].one("table").rows()
    assert kiosk[1]["Marks"].startswith("Refused hash Published again as")


def test_hosts_of_a_version_are_counted_and_linked(shared: World, looker: Browser) -> None:
    table = profiles(looker)[NONRT].one("table")
    newest = shared.fleet.newest(NONRT)
    assert table.rows()[0]["Hosts"] == "2"
    assert table.rows()[1]["Hosts"] == "0"
    assert table.one("a", href=f"/hosts?os={newest.id}").text == "2"


def test_image_is_tried_again_everywhere(lively: World, browser: Browser) -> None:
    newest = lively.fleet.newest(NONRT)
    with lively.database.writing() as session:
        for name in ("till-01", "till-02"):
            instance = session.get_one(Host, lively.fleet.hosts[name].id).instance
            assert instance is not None
            instance.quarantine = ["0" * 64, newest.file_hash]
    page = browser.get("/os-resources")
    assert "In quarantine on 3 hosts" in page.document.text
    page = browser.submit(page.form(f"/os-resources/{newest.id}/retry"))
    assert page.message.startswith("3 hosts try Edge Microvisor Toolkit 3.0.20260801.1010 again")
    with lively.database.reading() as session:
        released = [row.released for row in session.query(Instance) if row.released]
    assert released == [[newest.file_hash]] * 3
    assert "In quarantine" not in page.document.text


def entry(version: str) -> ProfileEntry:
    profile = OSProfile(
        name=f"Kiosk OS {version}",
        profile_name="kiosk",
        image_url=f"kiosk/{version}/kiosk-{version}.raw.zst",
        image_id=version,
        file_hash="5" * 64,
    )
    return ProfileEntry(f"kiosk/{version}/profile.yaml", profile)


def refresh(world: World, publication: Publication | ReleaseServiceError) -> tuple[str, bool]:
    manager = ResourceManager(
        world.database, cast("ReleaseService", Releases(publication)), Selection(), 86_400
    )
    services = replace(services_over(world.database), resource_manager=manager)
    with serving(services) as url, Browser(url) as browser:
        browser.log_in()
        page = browser.submit(browser.get("/os-resources").form("/os-resources/refresh"))
        return page.message, page.was_refused


def test_look_for_new_releases_tells_what_changed(lively: World) -> None:
    withdrawn = Withdrawal("kiosk", "1.10.0", "it breaks", "2026-01-01T00:00:00Z")
    published = (entry("1.11.0"), ProfileEntry("kiosk/2.0/profile.yaml", None, "no name"))
    catalogue = Catalogue(tuple(one.path for one in published), (withdrawn,))
    said, was_refused = refresh(lively, Publication(published, catalogue))
    # the look at the server's start may have come first, and have found the new ones
    assert said.endswith("1 refused: kiosk/2.0/profile.yaml: no name.")
    assert was_refused


def test_release_service_that_cannot_be_read_says_why(lively: World) -> None:
    said, was_refused = refresh(lively, ReleaseServiceError("the metadata has expired"))
    assert said == "The metadata has expired."
    assert was_refused


def test_without_a_release_service_there_is_nothing_to_press(looker: Browser) -> None:
    page = looker.get("/os-resources")
    assert not [one for one in page.document.all("form") if "refresh" in one["action"]]
    token = page.form("/logout").values()["csrf_token"]
    page = looker.post("/os-resources/refresh", {"csrf_token": token})
    assert page.message.startswith("No release service is configured")


@pytest.mark.parametrize("os_id", ["os-00000000", "x"])
def test_image_that_is_not_there_cannot_be_tried_again(looker: Browser, os_id: str) -> None:
    token = looker.get("/os-resources").form("/logout").values()["csrf_token"]
    assert looker.post(f"/os-resources/{os_id}/retry", {"csrf_token": token}).status == 404
