# SPDX-License-Identifier: Apache-2.0
"""The OS resource manager against a real signed repository, from a folder and over HTTP."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from securesystemslib.signer import CryptoSigner

from orchestrator_stub import commands
from orchestrator_stub.commands import ReleaseOptions
from orchestrator_stub.commands.command import open_database
from orchestrator_stub.commands.release import resource_manager
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.errors import OrchestratorError, ReleaseServiceError
from orchestrator_stub.main import main
from orchestrator_stub.os_resources.manager import ASKING
from orchestrator_stub.records import OSResource
from tests.integration.orchestrator_stub.published import Published
from tests.integration.orchestrator_stub.running import configure, os_profile, serving

CVE = {"cve_id": "CVE-2026-1", "priority": "high", "affected_packages": ["openssl"]}
PACKAGES = {"repo": [{"name": "openssl", "version": "3"}]}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; `/moved/…` redirects to an insecure place with an odd name."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/\x1b]0;owned\x07")
            self.end_headers()
        elif self.path.startswith("/endless/"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"{" * 65536)
        else:
            super().do_GET()


@contextlib.contextmanager
def static_server(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def published(tmp_path: Path) -> Published:
    repository = Published(tmp_path / "release")
    repository.add("edge", "1.0")
    repository.publish()
    return repository


def options(published: Published, url: str = "") -> ReleaseOptions:
    folder = None if url else published.folder
    return ReleaseOptions(folder=folder, url=url, root=published.root_json)


def resources(directory: DataDirectory) -> dict[tuple[str, str], OSResource]:
    with open_database(directory) as database, database.reading() as session:
        rows = session.query(OSResource).all()
        session.expunge_all()
    return {(row.profile_name, row.image_id): row for row in rows}


@pytest.mark.parametrize("over_http", [False, True])
def test_refresh_makes_a_resource_of_each_profile_once(
    directory: DataDirectory, published: Published, over_http: bool
) -> None:
    published.add("edge", "2.0")
    published.add("kiosk", "7")
    published.publish()
    with static_server(published.folder) as url:
        chosen = options(published, url if over_http else "")
        first = commands.refresh(directory, chosen)
        second = commands.refresh(directory, chosen)
    assert first["created"] == ["edge 1.0", "edge 2.0", "kiosk 7"]
    assert (second["created"], second["known"], second["refused"]) == ([], 3, [])
    row = resources(directory)["edge", "2.0"]
    profile = os_profile("edge", "2.0")
    assert (row.image_url, row.file_hash) == (profile.image_url, profile.file_hash)
    assert (row.os_type, row.os_provider) == ("OS_TYPE_IMMUTABLE", "OS_PROVIDER_KIND_INFRA")


def test_changed_hash_under_a_known_version_is_refused(
    directory: DataDirectory, published: Published
) -> None:
    commands.refresh(directory, options(published))
    published.add("edge", "1.0", salt="other bytes")
    published.publish()
    result = commands.refresh(directory, options(published))
    assert result["refused"] == ["edge 1.0: it is known with another file hash"]
    assert resources(directory)["edge", "1.0"].file_hash == os_profile("edge", "1.0").file_hash


def test_withdrawn_release_is_flagged_and_published_again_is_not(
    directory: DataDirectory, published: Published
) -> None:
    published.add("edge", "2.0")
    published.publish()
    commands.refresh(directory, options(published))
    published.withdraw("edge", "2.0")
    published.publish()
    assert commands.refresh(directory, options(published))["withdrawn"] == ["edge 2.0"]
    assert commands.refresh(directory, options(published))["withdrawn"] == []
    assert resources(directory)["edge", "2.0"].withdrawn_reason == "it breaks"
    published.withdrawn.clear()
    published.publish()
    commands.refresh(directory, options(published))
    assert resources(directory)["edge", "2.0"].withdrawn_reason == "it breaks"
    published.add("edge", "2.0")
    published.publish()
    commands.refresh(directory, options(published))
    assert resources(directory)["edge", "2.0"].withdrawn_reason is None


@pytest.mark.parametrize(
    "broken",
    [
        b"spec: [",
        b"spec: {name: 1}",
        b"",
        b"\xff\xfe\x00",
        b"[" * 20_000,
        b"a: &a [x, x]\nb: &b [*a, *a]\nspec: *b\n",
        b"!!python/object/apply:os.system ['true']",
        b"x: " + b"y" * (70 << 10),
        b"x: " + b"1:" * 30_000 + b"1.5",  # a number in the base of 60 that no float can hold
        b"x: !!int ''",
        b"x: !!timestamp x",
        b"x: !!bool x",
    ],
)
def test_one_broken_profile_does_not_stop_the_others(
    directory: DataDirectory, published: Published, broken: bytes
) -> None:
    published.files["aaa/1/profile.yaml"] = broken
    published.add("zebra", "1")
    published.publish(extra=("nowhere/1/profile.yaml",))
    result = commands.refresh(directory, options(published))
    assert result["created"] == ["edge 1.0", "zebra 1"]
    assert [line.partition(":")[0] for line in result["refused"]] == [
        "aaa/1/profile.yaml",
        "nowhere/1/profile.yaml",
    ]


def test_profiles_are_bounded_together(
    directory: DataDirectory, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.files["zebra/1/profile.yaml"] = b"#" * 3000
    published.publish()
    size = len(published.files["edge/1.0/profile.yaml"])
    monkeypatch.setattr("orchestrator_stub.release_service.MAX_PROFILES_BYTES", size + 2999)
    result = commands.refresh(directory, options(published))
    assert result["created"] == ["edge 1.0"]
    assert result["refused"] == [
        "zebra/1/profile.yaml: zebra/1/profile.yaml has more than 2999 bytes"
    ]


def test_revision_keeps_only_compatible_profiles(
    directory: DataDirectory, published: Published
) -> None:
    published.add("edge", "2.0", app_version="1.3.0")
    published.publish()
    configure(directory, "[release]", 'revision = "~1.2.1"')
    result = commands.refresh(directory, options(published))
    assert result["created"] == ["edge 1.0"]
    assert "1.3.0 is not compatible with ~1.2.1" in result["refused"][0]


@pytest.mark.parametrize(("revision", "taken"), [("1.2.3", ["edge 1.0"]), ("1.2.4", [])])
def test_revision_without_a_tilde_is_that_version_alone(
    directory: DataDirectory, published: Published, revision: str, taken: list[str]
) -> None:
    published.add("edge", "2.0", app_version="1.2.5")
    published.publish()
    configure(directory, "[release]", f'revision = "{revision}"')
    assert commands.refresh(directory, options(published))["created"] == taken


def test_only_profiles_that_are_enabled_are_taken(
    directory: DataDirectory, published: Published
) -> None:
    for profile in ("kiosk", "till"):
        published.add(profile, "1.0")
    published.publish()
    configure(directory, "[release]", 'enabled_profiles = ["kiosk", "edge"]')
    result = commands.refresh(directory, options(published))
    assert (result["created"], result["refused"]) == (["edge 1.0", "kiosk 1.0"], [])
    configure(directory, "[release]", "enabled_profiles = []")
    assert commands.refresh(directory, options(published))["created"] == ["till 1.0"]


def test_documents_come_verified_with_their_release(
    directory: DataDirectory, published: Published
) -> None:
    published.add_with_documents("edge", "2.0", packages=PACKAGES, existing=[CVE], fixed=[])
    published.publish()
    result = commands.refresh(directory, options(published))
    assert (result["created"], result["incomplete"]) == (["edge 1.0", "edge 2.0"], [])
    row = resources(directory)["edge", "2.0"]
    assert json.loads(row.installed_packages) == PACKAGES
    assert (row.existing_cves, row.fixed_cves) == ([CVE], [])
    published.files["edge/2.0/existing.json"] = b"[]"
    published.files["edge/2.0/fixed.json"] = json.dumps([CVE]).encode()
    published.publish()
    result = commands.refresh(directory, options(published))
    assert (result["refused"], result["incomplete"]) == ([], [])
    row = resources(directory)["edge", "2.0"]
    assert (row.existing_cves, row.fixed_cves) == ([], [CVE])


def test_document_that_was_changed_under_its_signature_is_not_taken(
    directory: DataDirectory, published: Published
) -> None:
    published.add_with_documents("edge", "2.0", packages=PACKAGES, existing=[])
    published.add_with_documents("edge", "3.0", packages=PACKAGES)
    published.publish()
    (forged,) = published.folder.glob("targets/edge/2.0/*.packages.json")
    forged.write_bytes(forged.read_bytes().replace(b"openssl", b"opensesame"))
    result = commands.refresh(directory, options(published))
    assert result["created"] == ["edge 1.0", "edge 3.0"]
    assert result["refused"] == ["edge 2.0: its package manifest cannot be read"]
    assert "edge/2.0/packages.json" in result["incomplete"][0]


@pytest.mark.parametrize("url", ["https://example.org/x.json", "../x.json", "nowhere.json"])
def test_document_that_is_no_target_is_not_fetched(
    directory: DataDirectory, published: Published, url: str
) -> None:
    path = published.add("edge", "2.0")
    field = b"osExistingCvesURL: "
    published.files[path] = published.files[path].replace(field + b"''", field + url.encode())
    published.publish()
    result = commands.refresh(directory, options(published))
    assert result["created"] == ["edge 1.0", "edge 2.0"]
    assert result["incomplete"] == [f"{url}: the signed metadata do not list {url}"]


def test_documents_are_bounded_and_the_others_come_next_time(
    directory: DataDirectory, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_stub.release_service.MAX_DOCUMENT_BYTES", 3000)
    monkeypatch.setattr("orchestrator_stub.release_service.MAX_DOCUMENTS_BYTES", 4000)
    padded = json.dumps([CVE]).encode() + b" " * 2500
    published.add_with_documents("edge", "2.0", existing=padded)
    published.add_with_documents("edge", "3.0", existing=padded)
    published.add_with_documents("edge", "4.0", existing=padded + b" " * 1000)
    published.publish()
    with open_database(directory) as database:
        manager = resource_manager(directory, database, options(published))
        assert manager is not None
        first, second = manager.refresh(), manager.refresh()
    big = "edge/4.0/existing.json: edge/4.0/existing.json has more than 3000 bytes"
    assert len(first.created) == 4
    assert [line.partition(":")[0] for line in first.incomplete] == [
        "edge/3.0/existing.json",
        "edge/4.0/existing.json",
    ]
    assert second.incomplete == [big]
    found = resources(directory)
    assert [found["edge", v].existing_cves for v in ("2.0", "3.0", "4.0")] == [[CVE], [CVE], []]


def test_unchanged_documents_are_fetched_once(
    directory: DataDirectory, published: Published
) -> None:
    published.add_with_documents("edge", "2.0", packages=PACKAGES, existing=[CVE], fixed=[])
    published.publish()
    with static_server(published.folder) as url, open_database(directory) as database:
        manager = resource_manager(directory, database, options(published, url))
        assert manager is not None
        manager.refresh()
        Quiet.asked.clear()
        manager.refresh()
        again = [path for path in Quiet.asked if "/edge/2.0/" in path]
        assert [path.rpartition(".")[0].rpartition(".")[2] for path in again] == ["profile"]
        published.files["edge/2.0/existing.json"] = b"[]"
        published.publish()
        Quiet.asked.clear()
        manager.refresh()
        again = [path for path in Quiet.asked if path.endswith(".existing.json")]
        assert len(again) == 1
    assert resources(directory)["edge", "2.0"].existing_cves == []


def test_failed_write_does_not_make_a_document_known(
    directory: DataDirectory, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.add_with_documents("edge", "2.0", existing=[])
    published.publish()
    with open_database(directory) as database:
        manager = resource_manager(directory, database, options(published))
        assert manager is not None
        manager.refresh()
        published.files["edge/2.0/existing.json"] = json.dumps([CVE]).encode()
        published.publish()
        with monkeypatch.context() as fault:
            fault.setattr("orchestrator_stub.os_resources.taking.keep_available", broken)
            with pytest.raises(ZeroDivisionError):
                manager.refresh()
        manager.refresh()
    assert resources(directory)["edge", "2.0"].existing_cves == [CVE]


def broken(*_: object) -> int:
    raise ZeroDivisionError


@contextlib.contextmanager
def stalled_server() -> Iterator[str]:
    """A release service that takes every request and answers none until the block ends."""
    over = threading.Event()

    class Stalled(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            over.wait(600)
            with contextlib.suppress(OSError):
                self.send_error(503)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stalled) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def test_refreshes_of_a_slow_release_service_take_no_thread_from_the_nodes(
    directory: DataDirectory, published: Published
) -> None:
    statuses: list[int] = []

    def ask() -> None:
        with orchestrator.new_session() as session:
            path = "compute/operating_systems:refresh"
            statuses.append(orchestrator.rest("POST", path, session=session).status_code)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    with ExitStack() as stack:
        with stalled_server() as url:
            release = ("--release-url", url, "--release-root", str(published.root_json))
            orchestrator = stack.enter_context(serving(directory, *release))
            node = orchestrator.enrol("edge")
            for thread in threads:
                thread.start()
            while len(statuses) < len(threads) - ASKING:
                node.poll("UP_TO_DATE", os_image_id="1.0")
            assert set(statuses) == {409}
        for thread in threads:
            thread.join()
    assert sorted(set(statuses)) == [409, 503]


def refused(directory: DataDirectory, chosen: ReleaseOptions) -> str:
    before = set(resources(directory))
    with pytest.raises(OrchestratorError) as caught:
        commands.refresh(directory, chosen)
    assert isinstance(caught.value, ReleaseServiceError)
    assert set(resources(directory)) == before
    return str(caught.value)


def test_expired_metadata_are_refused(directory: DataDirectory, published: Published) -> None:
    published.publish(expires=timedelta(hours=-1))
    assert "expired" in refused(directory, options(published))


def test_repository_of_another_key_is_refused(
    directory: DataDirectory, published: Published
) -> None:
    published.signer = CryptoSigner.generate_ed25519()
    published.add("edge", "6.0")
    published.publish()
    assert "timestamp was signed by 0/1 keys" in refused(directory, options(published))


def test_rolled_back_repository_is_refused(
    directory: DataDirectory, published: Published, tmp_path: Path
) -> None:
    shutil.copytree(published.folder, tmp_path / "old")
    published.publish()
    commands.refresh(directory, options(published))
    shutil.rmtree(published.folder)
    shutil.copytree(tmp_path / "old", published.folder)
    assert "version" in refused(directory, options(published))


def test_damaged_cache_is_made_anew(directory: DataDirectory, published: Published) -> None:
    commands.refresh(directory, options(published))
    for file in directory.tuf_cache.rglob("*.json"):
        file.write_bytes(b"{torn")
    assert commands.refresh(directory, options(published))["known"] == 1


def test_changed_file_is_refused(directory: DataDirectory, published: Published) -> None:
    (catalogue,) = published.folder.glob("targets/*.profiles.json")
    catalogue.write_bytes(catalogue.read_bytes().replace(b"edge", b"edgy"))
    refused(directory, options(published))


@pytest.mark.parametrize("path", ["nothing/", "moved/", "endless/"])
def test_server_that_does_not_give_the_files_is_refused(
    directory: DataDirectory, published: Published, path: str
) -> None:
    with static_server(published.folder) as url:
        refused(directory, options(published, url + path))


def test_what_a_server_sends_does_not_steer_a_terminal(
    directory: DataDirectory, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    with static_server(published.folder) as url:
        arguments = ["--release-url", f"{url}moved/", "--release-root", str(published.root_json)]
        assert main(["refresh", "--data-dir", str(directory.path), *arguments]) != 0
    told = capsys.readouterr().err
    assert "would be fetched without TLS" in told
    assert all(line.isprintable() for line in told.splitlines())


def test_absent_root_of_trust_is_refused(directory: DataDirectory, published: Published) -> None:
    published.root_json.unlink()
    assert "root of trust" in refused(directory, options(published))


def test_root_of_trust_that_is_none_is_named(
    directory: DataDirectory, published: Published
) -> None:
    published.root_json.write_bytes(b'{"signed": {"_type": "timestamp"}}')
    told = refused(directory, options(published))
    assert f"the root of trust {published.root_json} cannot be used" in told


def test_configured_url_without_root_is_refused(directory: DataDirectory) -> None:
    configure(directory, "[release]", 'url = "https://releases.example.org/"')
    with pytest.raises(OrchestratorError, match="nothing vouches"):
        commands.refresh(directory, ReleaseOptions())


def test_server_looks_by_itself_and_on_request(
    directory: DataDirectory, published: Published
) -> None:
    release = ["--release-dir", str(published.folder), "--release-root", str(published.root_json)]
    with serving(directory, *release, "--refresh-period", "1s") as orchestrator:

        def known() -> set[str]:
            listed = orchestrator.get("compute/operating_systems")
            return {row["imageId"] for row in listed["OperatingSystemResources"]}

        def wait_for(version: str) -> None:
            end = time.monotonic() + 60
            while version not in known():
                assert time.monotonic() < end
                time.sleep(0.1)

        wait_for("1.0")
        published.add("edge", "2.0")
        published.publish()
        wait_for("2.0")
        published.add("edge", "3.0")
        published.publish()
        result = orchestrator.create("compute/operating_systems:refresh", None)
        assert result["created"] in (["edge 3.0"], [])
        assert "3.0" in known()
        shutil.rmtree(published.folder / "metadata")
        response = orchestrator.rest("POST", "compute/operating_systems:refresh")
        assert (response.status_code, response.json()["code"]) == (503, "unavailable")
