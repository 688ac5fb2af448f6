# SPDX-License-Identifier: Apache-2.0
"""One release in a folder: complete for a node without a network, never newer than what follows."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError
from tuf.api.metadata import Metadata, Snapshot, Timestamp

from orchestrator_stub.release import commands
from orchestrator_stub.release.roles import plan_roles
from tests.integration.release.conftest import Site, unseen


def versions(folder: Path) -> dict[str, int]:
    """The version of each role as a reader finds it."""
    metadata = folder / "metadata"
    timestamp = Metadata[Timestamp].from_file(str(metadata / "timestamp.json")).signed
    snapshot_version = timestamp.snapshot_meta.version
    path = metadata / f"{snapshot_version}.snapshot.json"
    snapshot = Metadata[Snapshot].from_file(str(path)).signed
    return {
        "timestamp": timestamp.version,
        "snapshot": snapshot.version,
        "targets": snapshot.meta["targets.json"].version,
    }


def test_export_holds_one_release_whole_and_nothing_else(site: Site, tmp_path: Path) -> None:
    site.release("1")
    site.release("2", seed=2)
    site.run("withdraw", "1", "--reason", "old")
    site.release("3", seed=3)
    site.run("rotate", "root")
    stick = tmp_path / "stick"
    answer = site.run("export", stick, "--version", "2")
    assert answer["release"]["version"] == "2"
    client = site.client()
    assert client.fetch_all(stick) == {
        "profiles.json",
        "edge/2/profile.yaml",
        "edge/2/edge-2.raw.zst",
        "edge/2/edge-2.raw.zst.idx",
    }
    catalogue = json.loads(client.fetch(stick, "profiles.json"))
    assert catalogue["profiles"] == ["edge/2/profile.yaml"]
    assert [entry["version"] for entry in catalogue["withdrawn"]] == ["1"]
    file = client.fetch(stick, "edge/2/edge-2.raw.zst")
    made = subprocess.run(["zstd", "-dc"], input=file, capture_output=True, check=True).stdout
    assert made == site.image(size=20_000, seed=2).read_bytes()
    assert sorted(path.name for path in stick.iterdir()) == ["metadata", "targets"]
    assert not list(tmp_path.glob(".stick*"))


def test_export_seen_by_a_client_is_below_what_is_served_at_once_and_later(
    site: Site, tmp_path: Path
) -> None:
    site.release("1")
    client = site.client()
    site.run("export", tmp_path / "stick")
    client.targets(tmp_path / "stick")
    assert "edge/1/profile.yaml" in client.targets(site.repo)
    site.release("2", seed=2)
    assert "edge/2/profile.yaml" in client.fetch_all(site.repo)
    stick, served = versions(tmp_path / "stick"), versions(site.repo)
    assert all(served[role] > stick[role] for role in stick)


def test_export_and_publish_never_share_a_version_number(site: Site, tmp_path: Path) -> None:
    site.release("1")
    seen: list[dict[str, int]] = [versions(site.repo)]
    for number in range(3):
        site.run("export", tmp_path / f"stick{number}")
        seen += [versions(tmp_path / f"stick{number}"), versions(site.repo)]
    for role in ("targets", "snapshot", "timestamp"):
        numbers = [one[role] for one in seen]
        assert numbers == sorted(set(numbers))


def test_export_leaves_staged_releases_staged(site: Site, tmp_path: Path) -> None:
    site.release("1")
    site.add("2", seed=2)
    site.run("export", tmp_path / "stick")
    assert "edge/2/profile.yaml" not in site.client().targets(site.repo)
    assert [one["version"] for one in site.run("status")["staged"]] == ["2"]


def test_export_without_a_version_takes_the_newest_by_the_version_order(
    site: Site, tmp_path: Path
) -> None:
    for seed, version in enumerate(("3.9", "3.10", "3.2"), start=1):
        site.add(version, seed=seed)
    site.run("publish")
    assert site.run("export", tmp_path / "stick")["release"]["version"] == "3.10"


def test_export_holds_as_long_as_was_asked_and_no_longer(bare_site: Site, tmp_path: Path) -> None:
    commands.init(bare_site.publisher(), plan_roles([], [], []))
    bare_site.add("1")
    commands.publish(bare_site.publisher(), refresh=False)
    stick = tmp_path / "stick"
    commands.export(bare_site.publisher(), stick, (None, None), timedelta(days=30), unseen)
    good = bare_site.client("good", now=bare_site.now + timedelta(days=29))
    assert "edge/1/profile.yaml" in good.targets(stick)
    late = bare_site.client("late", now=bare_site.now + timedelta(days=31))
    with pytest.raises(ExpiredMetadataError):
        late.targets(stick)


def test_export_beyond_the_root_is_refused(site: Site, tmp_path: Path) -> None:
    site.release("1")
    error = site.run("export", tmp_path / "stick", "--valid", "366d", expect=64)["error"]
    assert "rotate root" in error["hint"]
    assert not (tmp_path / "stick").exists()


def test_export_into_a_used_folder_or_the_repository_is_refused(site: Site, tmp_path: Path) -> None:
    site.release("1")
    used = tmp_path / "used"
    used.mkdir()
    site.run("export", used)
    assert site.run("export", used, expect=64)["error"]["what"] == "the folder is in use"
    assert "inside" in site.run("export", site.repo / "x", expect=64)["error"]["what"]


def test_export_onto_a_mounted_stick_is_refused_and_into_a_folder_on_it_is_not(
    site: Site, tmp_path: Path
) -> None:
    site.release("1")
    stick = tmp_path / "stick"
    stick.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", stick], check=True, timeout=60)
    try:
        before = versions(site.repo)
        error = site.run("export", stick, expect=64)["error"]
        assert error["what"] == "the folder is a mount point"
        assert list(stick.iterdir()) == []
        assert not list(tmp_path.glob(".stick*"))
        assert versions(site.repo) == before
        named = stick / "edge-1"
        assert error["hint"] == f"Name a new folder on it, such as {named}."
        site.run("export", named)
        assert "edge/1/profile.yaml" in site.client().fetch_all(named)
        assert [path.name for path in stick.iterdir()] == ["edge-1"]
    finally:
        subprocess.run(["umount", stick], check=True, timeout=60)


def test_export_of_a_damaged_file_is_refused(site: Site, tmp_path: Path) -> None:
    site.release("1")
    [file] = (site.repo / "targets/edge/1").glob("*.raw.zst")
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    error = site.run("export", tmp_path / "stick", expect=65)["error"]
    assert error["on"] == str(file)
    assert not (tmp_path / "stick").exists()


def test_export_unknown_or_ambiguous_release_is_refused(site: Site, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    assert site.run("export", stick, expect=65)["error"]["code"] == "release-unknown"
    site.release("1")
    site.release("1", profile="kiosk", seed=2)
    assert "edge, kiosk" in site.run("export", stick, expect=64)["error"]["hint"]
    answer = site.run("export", stick, "--profile", "kiosk")
    assert answer["release"]["profile"] == "kiosk"


def test_export_that_fails_leaves_nothing_behind(site: Site, tmp_path: Path) -> None:
    site.release("1")
    stick = tmp_path / "stick"
    (published,) = (site.repo / "targets/edge/1").glob("*.raw.zst")
    published.rename(tmp_path / "elsewhere")
    error = site.run("export", stick, expect=65)["error"]
    assert error["what"] == "a published file is missing"
    assert error["on"] == str(published)
    assert not list(tmp_path.glob("*stick*"))
    published.write_bytes(b"another file")
    site.run("export", stick, expect=65)
    assert not list(tmp_path.glob("*stick*"))


def test_export_of_what_is_only_staged_says_that_it_is_not_public(
    site: Site, tmp_path: Path
) -> None:
    site.release("1")
    site.add("2", seed=2)
    error = site.run("export", tmp_path / "stick", "--version", "2", expect=65)["error"]
    assert "what is staged is not yet" in error["hint"]
