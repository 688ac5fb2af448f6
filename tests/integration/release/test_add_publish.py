# SPDX-License-Identifier: Apache-2.0
"""From an image to a node's verified bytes, over HTTP and with the zstd program."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tuf.ngclient import Updater

from orchestrator_stub.release.answers import answer_text
from puad.core.boot_file import BootFileKind
from puad.core.chunks import CHUNK_BYTES, parse_index
from puad.core.manifest import parse_manifest
from puad.core.profile import parse_profile
from tests.integration.release.conftest import Site

PARTUUID = "0fc63daf-8483-4772-8e79-3d69d8477de4"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def served(site: Site) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(site.repo))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_publish_read_over_http_gives_what_was_added(
    site: Site, served: str, tmp_path: Path
) -> None:
    image = site.image(size=5 * CHUNK_BYTES + 4321)
    site.run("add", image, "--profile", "edge", "--version", "13.1", "--level", "3")
    site.run("publish")
    client = site.client()
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    updater = Updater(
        str(client.cache), f"{served}/metadata/", str(downloads), f"{served}/targets/"
    )
    updater.refresh()
    catalogue = json.loads(fetch(updater, "profiles.json"))
    assert catalogue == {"schema": 1, "profiles": ["edge/13.1/profile.yaml"], "withdrawn": []}
    profile = parse_profile(yaml.safe_load(fetch(updater, catalogue["profiles"][0])))
    target = updater.get_targetinfo(profile.image_url)
    assert target is not None
    assert profile.image_url == "edge/13.1/edge-13.1.raw.zst"
    assert profile.file_hash == target.hashes["sha256"]
    assert profile.image_id == "13.1"
    file = Path(updater.download_target(target))
    unpacked = subprocess.run(["zstd", "-dc", str(file)], capture_output=True, check=True)
    assert unpacked.stdout == image.read_bytes()
    manifest = parse_manifest(target.custom)
    assert manifest.image_size == image.stat().st_size
    assert manifest.image_hash == hashlib.sha256(image.read_bytes()).hexdigest()
    assert manifest.index == f"{profile.image_url}.idx"
    check_chunks(file, fetch(updater, manifest.index), image)


def fetch(updater: Updater, path: str) -> bytes:
    target = updater.get_targetinfo(path)
    assert target is not None, path
    return Path(updater.download_target(target)).read_bytes()


def check_chunks(file: Path, index_bytes: bytes, image: Path) -> None:
    """Each chunk can be made of its frame alone, by the zstd program."""
    whole, data = image.read_bytes(), file.read_bytes()
    index = parse_index(index_bytes, image_size=len(whole), file_size=len(data))
    assert sum(chunk.file_length for chunk in index.chunks) == len(data)
    for chunk in index.chunks:
        frame = data[chunk.file_offset : chunk.file_offset + chunk.file_length]
        made = subprocess.run(["zstd", "-dc"], input=frame, capture_output=True, check=True).stdout
        assert made == whole[chunk.image_offset : chunk.image_offset + chunk.image_length]
        assert hashlib.sha256(made).digest() == chunk.sha256


def test_zstd_list_of_published_file_knows_content_size_and_checksum(site: Site) -> None:
    image = site.image(size=2 * CHUNK_BYTES + 5)
    site.run("add", image, "--profile", "edge", "--version", "1", "--level", "1")
    site.run("publish")
    [file] = (site.repo / "targets/edge/1").glob("*.raw.zst")
    listing = subprocess.run(["zstd", "-lv", str(file)], capture_output=True, check=True, text=True)
    assert "# Zstandard Frames: 3" in listing.stdout
    assert f"({2 * CHUNK_BYTES + 5} B)" in listing.stdout
    assert "Check: XXH64" in listing.stdout


def test_add_raw_format_publishes_the_image_itself_with_an_index(site: Site) -> None:
    image = site.image(size=CHUNK_BYTES + 17)
    site.run("add", image, "--profile", "edge", "--version", "1", "--format", "raw")
    site.run("publish")
    client = site.client()
    assert client.fetch(site.repo, "edge/1/edge-1.raw") == image.read_bytes()
    index = parse_index(
        client.fetch(site.repo, "edge/1/edge-1.raw.idx"),
        image_size=CHUNK_BYTES + 17,
        file_size=CHUNK_BYTES + 17,
    )
    assert [chunk.file_offset for chunk in index.chunks] == [0, CHUNK_BYTES]


def test_add_boot_files_and_documents_are_signed_and_named(site: Site, tmp_path: Path) -> None:
    for name in ("linux", "initrd"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    (tmp_path / "packages").write_text('[{"name": "linux"}]')
    answer = site.add(
        "13.2",
        *("--linux", tmp_path / "linux", "--initrd", tmp_path / "initrd"),
        *("--package-manifest", tmp_path / "packages", "--min-version", "13.1"),
        *("--root-partuuid", PARTUUID, "--description", "Zwei Tüten\nMilch"),
        *("--security-feature", "SECURITY_FEATURE_SECURE_BOOT_AND_FULL_DISK_ENCRYPTION"),
    )
    site.run("publish")
    client = site.client()
    target = client.targets(site.repo)["edge/13.2/edge-13.2.raw.zst"]
    manifest = parse_manifest(target.custom)
    assert manifest.min_version == "13.1"
    assert manifest.root_partuuid == PARTUUID
    assert manifest.built_at.isoformat() == "2026-11-20T10:00:00+00:00"
    for file in manifest.boot_files:
        data = client.fetch(site.repo, file.path)
        assert data == file.kind.value.encode() * 1000
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert {file.kind for file in manifest.boot_files} == {BootFileKind.LINUX, BootFileKind.INITRD}
    profile = parse_profile(yaml.safe_load(client.fetch(site.repo, "edge/13.2/profile.yaml")))
    assert profile.description == "Zwei Tüten\nMilch"
    assert profile.security_feature.value.endswith("FULL_DISK_ENCRYPTION")
    assert client.fetch(site.repo, profile.package_manifest_url) == b'[{"name": "linux"}]'
    assert answer["warnings"] == []


def test_add_is_not_public_before_publish(site: Site) -> None:
    site.add("1")
    client = site.client()
    assert set(client.targets(site.repo)) == {"profiles.json"}
    assert [one["version"] for one in site.run("status")["staged"]] == ["1"]
    site.run("publish")
    assert "edge/1/profile.yaml" in client.targets(site.repo)
    assert site.run("status")["staged"] == []


def test_publish_several_profiles_and_versions_lists_them_all(site: Site) -> None:
    site.add("1")
    site.add("2", seed=2)
    site.add("1", profile="kiosk", seed=3)
    answer = site.run("publish")
    assert len(answer["published"]) == 3
    catalogue = json.loads(site.client().fetch(site.repo, "profiles.json"))
    assert catalogue["profiles"] == [
        "edge/1/profile.yaml",
        "edge/2/profile.yaml",
        "kiosk/1/profile.yaml",
    ]


@pytest.mark.parametrize("published", [False, True])
def test_add_same_bytes_again_is_nothing_to_do(site: Site, published: bool) -> None:
    site.add("1")
    if published:
        site.run("publish")
    assert site.add("1")["changed"] is False


def test_add_same_bytes_of_a_newer_file_date_is_nothing_to_do(site: Site) -> None:
    image = site.image()
    words: list[str | Path] = [image, "--profile", "edge", "--version", "1", "--level", "1"]
    site.run("add", *words)
    site.run("publish")
    image.write_bytes(image.read_bytes())
    assert site.run("add", *words)["changed"] is False


def test_add_other_bytes_to_a_staged_version_replaces_it(site: Site) -> None:
    assert site.add("1", seed=1)["replaced"] is False
    answer = site.add("1", seed=2)
    assert (answer["changed"], answer["replaced"]) == (True, True)
    assert "takes the place of other bytes" in answer_text("add", answer)
    site.run("publish")
    file = site.client().fetch(site.repo, "edge/1/edge-1.raw.zst")
    made = subprocess.run(["zstd", "-dc"], input=file, capture_output=True, check=True).stdout
    assert made == site.image(size=20_000, seed=2).read_bytes()


def test_add_other_bytes_to_a_published_version_is_refused(site: Site) -> None:
    site.release("1", seed=1)
    image = site.image(size=20_000, seed=2)
    words: list[str | Path] = [image, "--profile", "edge", "--version", "1"]
    error = site.run("add", *words, expect=65)["error"]
    assert error["code"] == "already-published"
    assert "new version" in error["hint"]
    assert site.run("publish")["changed"] is False


def test_add_other_boot_file_or_floor_to_a_published_version_is_refused(
    site: Site, tmp_path: Path
) -> None:
    boot = tmp_path / "linux"
    boot.write_bytes(b"one")
    site.add("2", "--linux", boot)
    site.run("publish")
    image = site.image(size=20_000)
    words: list[str | Path] = [image, *("--profile", "edge", "--version", "2", "--linux", boot)]
    assert site.run("add", *words)["changed"] is False
    error = site.run("add", *words, "--min-version", "1", expect=65)["error"]
    assert error["on"] == "edge/2/edge-2.raw.zst"
    boot.write_bytes(b"two")
    error = site.run("add", *words, expect=65)["error"]
    assert "edge/2/edge-2.linux" in error["on"]


@pytest.mark.parametrize(
    ("option", "size", "what"),
    [("--linux", 0, "empty"), ("--package-manifest", (16 << 20) + 1, "larger than")],
)
def test_add_file_that_is_empty_or_too_large_is_refused(
    site: Site, tmp_path: Path, option: str, size: int, what: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    words = ["--profile", "edge", "--version", "1", option, str(path)]
    image = site.image(size=5000)
    assert what in site.run("add", image, *words, expect=65)["error"]["what"]
    assert site.run("status")["staged"] == []


@pytest.mark.parametrize("content", [b"linux 6.1", b"[" * 100_000, b"\xff", b'["linux"'])
def test_add_document_that_is_not_json_is_refused(
    site: Site, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "cves"
    path.write_bytes(content)
    error = site.run(
        *("add", site.image(size=5000), "--profile", "edge", "--version", "1"),
        *("--existing-cves", path),
        expect=65,
    )["error"]
    assert (error["what"], error["on"]) == ("the document is not JSON", str(path))
    assert len(error["hint"]) < 200
    assert site.run("status")["staged"] == []


def test_add_initrd_without_its_kernel_is_refused_before_the_work(site: Site) -> None:
    words = ["--profile", "edge", "--version", "1", "--initrd", "/nowhere"]
    error = site.run("add", site.image(size=5000), *words, expect=64)["error"]
    assert error["on"] == "--initrd"
    assert "--linux" in error["hint"]


def test_add_uki_that_is_no_program_warns(site: Site, tmp_path: Path) -> None:
    uki = tmp_path / "uki.efi"
    uki.write_bytes(b"\x7fELF and more")
    (warning,) = site.add("1", "--uki", uki)["warnings"]
    assert "does not begin with MZ" in warning
    uki.write_bytes(b"MZ and more")
    assert site.add("2", "--uki", uki)["warnings"] == []


def test_add_image_with_an_mbr_is_named_as_such(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    subprocess.run(["/usr/sbin/sfdisk", "--quiet", disk], input=b"label: dos\n,,L\n", check=True)
    words: list[str | Path] = ["--profile", "edge", "--version", "1", "--level", "1"]
    warnings = " ".join(site.run("add", disk, *words)["warnings"])
    assert "partition table (MBR)" in warnings


def test_add_partition_id_of_a_wrong_form_names_its_option(site: Site) -> None:
    words: list[str | Path] = ["--profile", "edge", "--version", "1", "--root-partuuid", "zzz"]
    error = site.run("add", site.image(size=20_000), *words, expect=64)["error"]
    assert error["on"] == "--root-partuuid zzz"
    assert "blkid" in error["hint"]


def test_add_without_a_boot_file_warns(site: Site) -> None:
    answer = site.add("1")
    assert "no boot file" in answer["warnings"][0]
    assert "WARNING: the release has no boot file" in answer_text("add", answer)


def test_add_image_of_another_size_to_a_published_version_is_refused_unread(site: Site) -> None:
    site.release("1")
    image = site.image(size=30_000)
    error = site.run("add", image, "--profile", "edge", "--version", "1", expect=65)["error"]
    assert error["on"] == "edge/1/edge-1.raw.zst"


def test_add_same_input_makes_the_same_files(make_site: Callable[[str], Site]) -> None:
    trees = []
    for name, threads in (("one", "1"), ("two", "5")):
        site = make_site(name)
        image = site.image(size=7 * CHUNK_BYTES + 99)
        site.run(
            "add",
            image,
            *("--profile", "edge", "--version", "1", "--level", "5"),
            *("--threads", threads, "--built-at", "2026-11-01T00:00:00Z"),
        )
        staged = site.repo / "unpublished/releases/edge/1"
        trees.append({path.name: path.read_bytes() for path in staged.iterdir()})
    assert trees[0] == trees[1]


def test_publish_twice_signs_nothing_the_second_time(site: Site) -> None:
    site.release("1")
    before = {path: path.read_bytes() for path in site.repo.rglob("*.json")}
    assert site.run("publish")["signed"] == {}
    assert {path: path.read_bytes() for path in site.repo.rglob("*.json")} == before


def test_published_files_are_readable_by_a_web_server_whatever_the_umask(bare_site: Site) -> None:
    script = (
        "import os, sys; os.umask(0o077); from orchestrator_stub.release.main import main;"
        " sys.exit(main(sys.argv[1:]))"
    )

    places = ["--repo", bare_site.repo, "--keys", bare_site.keys]
    image = bare_site.image(size=5000)
    for words in (
        ["init", *places],
        ["add", image, *places, "--profile", "p", "--version", "1"],
        ["publish", *places],
    ):
        subprocess.run([sys.executable, "-c", script, *map(str, words)], check=True)
    for served in (bare_site.repo / "metadata", bare_site.repo / "targets"):
        for path in (served, *served.rglob("*")):
            mode = path.stat().st_mode & 0o777
            assert mode == (0o755 if path.is_dir() else 0o644), path
    assert (bare_site.repo / "unpublished").stat().st_mode & 0o777 == 0o700
