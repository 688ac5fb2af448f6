# SPDX-License-Identifier: Apache-2.0
"""State, catalogue, content, staged lists and paths: values and their files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator_stub.release.catalogue import Catalogue, Withdrawal, parse_catalogue
from orchestrator_stub.release.content import Content
from orchestrator_stub.release.disk import Disk
from orchestrator_stub.release.errors import (
    BusyError,
    ConflictError,
    InputError,
    KeyAccessError,
    ReleaseError,
    RepositoryError,
    UnknownReleaseError,
    UsageError,
    WriteError,
)
from orchestrator_stub.release.layout import Layout, require_apart
from orchestrator_stub.release.release import ReleaseFile, group_releases, make_release
from orchestrator_stub.release.roles import CHAIN, Role
from orchestrator_stub.release.size import size_text
from orchestrator_stub.release.staging import StagedRelease, read_staged
from orchestrator_stub.release.state import State, load_state
from puad.core.manifest import Manifest

STATE = State(dict.fromkeys(CHAIN, 3), {role: timedelta(days=9) for role in Role}, 2)
MANIFEST = Manifest(
    profile="edge",
    version="1",
    format="raw",
    image_size=3,
    image_hash="a" * 64,
    built_at=datetime(2026, 1, 1, tzinfo=UTC),
)
IMAGE = ReleaseFile("edge/1/edge-1.raw", 3, "a" * 64, MANIFEST.dump())
PROFILE = ReleaseFile("edge/1/profile.yaml", 5, "b" * 64)


def test_state_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    STATE.save(layout, Disk())
    assert load_state(layout) == STATE
    assert layout.state.stat().st_mode & 0o777 == 0o600


def test_state_after_changes_only_the_named_roles() -> None:
    after = STATE.after({Role.TIMESTAMP: 9})
    assert after.versions == {Role.TARGETS: 3, Role.SNAPSHOT: 3, Role.TIMESTAMP: 9}
    assert STATE.versions[Role.TIMESTAMP] == 3


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        '{"schema": 2}',
        '{"schema": 1, "versions": {}, "validity_s": {}}',
        '{"schema": 1, "versions": {"targets": -1, "snapshot": 1, "timestamp": 1}}',
        '{"schema": 1, "versions": {"targets": true, "snapshot": 1, "timestamp": 1}}',
        '{"schema": 1, "versions": {"targets": "1", "snapshot": 1, "timestamp": 1}}',
        '{"schema": 1, "versions": {"targets": 1e3, "snapshot": 1, "timestamp": 1}}',
    ],
)
def test_load_state_of_another_form_is_refused_not_guessed(tmp_path: Path, content: str) -> None:
    layout = Layout(tmp_path)
    Disk().write(layout.state, content.encode())
    with pytest.raises(RepositoryError, match="state cannot be read"):
        load_state(layout)


def test_catalogue_dumped_and_parsed_is_the_same() -> None:
    catalogue = Catalogue(("a/1/profile.yaml",), (Withdrawal("a", "0", "why", "2026-01-01"),))
    assert parse_catalogue(catalogue.dump()) == catalogue
    assert catalogue.withdrawal("a", "0") is not None
    assert catalogue.withdrawal("a", "1") is None


ROW = (
    '{"profiles": ["a"], "withdrawn": [{"profile": "a", "version": "1", "at": "x", "reason": %s}]}'
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"profiles": 1}',
        b'{"profiles": [1], "withdrawn": []}',
        b'{"profiles": [], "withdrawn": [{}]}',
        b'{"profiles": [], "withdrawn": [1]}',
        # what no page could show and PostgreSQL refuses
        *((ROW % reason).encode() for reason in ("1", "null", '"a\\u0000b"', '"\\ud800"')),
    ],
)
def test_parse_catalogue_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(RepositoryError):
        parse_catalogue(data)


def test_content_catalogue_lists_profiles_of_its_files_and_is_a_target_itself() -> None:
    content = Content().plus([IMAGE, PROFILE])
    assert json.loads(content.catalogue)["profiles"] == ["edge/1/profile.yaml"]
    assert set(content.targets) == {IMAGE.path, PROFILE.path, "profiles.json"}
    assert content.targets[IMAGE.path].custom == MANIFEST.dump()
    assert content.targets[PROFILE.path].custom is None


def test_content_plus_file_of_the_same_path_replaces_it() -> None:
    content = Content().plus([PROFILE]).plus([replace(PROFILE, sha256="c" * 64)])
    assert content.targets[PROFILE.path].hashes["sha256"] == "c" * 64


def test_content_without_keeps_the_rest_and_the_withdrawal() -> None:
    withdrawal = Withdrawal("edge", "1", "why", "now")
    content = Content().plus([IMAGE, PROFILE]).without([IMAGE, PROFILE], withdrawal)
    assert set(content.targets) == {"profiles.json"}
    assert json.loads(content.catalogue)["withdrawn"][0]["reason"] == "why"


def test_group_releases_takes_folders_that_have_an_image() -> None:
    stray = ReleaseFile("notes/readme.txt", 1, "d" * 64)
    [release] = group_releases([PROFILE, stray, IMAGE])
    assert release.key == ("edge", "1")
    assert release.label == "edge 1"
    assert release.image == IMAGE
    assert release.files == (IMAGE, PROFILE)


def test_make_release_with_a_broken_manifest_is_refused() -> None:
    with pytest.raises(RepositoryError, match="manifest"):
        make_release([replace(IMAGE, custom={"puad": {"schema": 1}})])
    with pytest.raises(RepositoryError, match="no image"):
        make_release([PROFILE])


def test_layout_target_has_the_hash_before_the_name() -> None:
    layout = Layout(Path("/r"))
    assert layout.target("edge/1/x.raw", "ab") == Path("/r/targets/edge/1/ab.x.raw")
    assert layout.target("profiles.json", "ab") == Path("/r/targets/ab.profiles.json")


def test_require_apart_sees_through_links(tmp_path: Path) -> None:
    served = tmp_path / "served"
    (served / "keys").mkdir(parents=True)
    (tmp_path / "link").symlink_to(served / "keys")
    with pytest.raises(UsageError):
        require_apart(tmp_path / "link", served)
    with pytest.raises(UsageError):
        require_apart(served / "../served/keys", served)
    require_apart(tmp_path / "keys", served)
    require_apart(tmp_path / "served-keys", served)


def test_staged_release_with_a_missing_or_short_file_is_not_published(tmp_path: Path) -> None:
    layout, folder = Layout(tmp_path / "repo"), tmp_path / "staged"
    folder.mkdir()
    release = make_release([IMAGE])
    staged = StagedRelease(folder, release)
    with pytest.raises(RepositoryError, match="missing or has another size"):
        staged.move_files(layout, Disk())
    (folder / IMAGE.name).write_bytes(b"xx")
    with pytest.raises(RepositoryError, match="missing or has another size"):
        staged.move_files(layout, Disk())
    (folder / IMAGE.name).write_bytes(b"xxx")
    staged.move_files(layout, Disk())
    staged.move_files(layout, Disk())
    assert layout.target(IMAGE.path, IMAGE.sha256).read_bytes() == b"xxx"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"files": [{}]}', b'{"files": 3}'])
def test_read_staged_list_of_another_form_is_refused(tmp_path: Path, content: bytes) -> None:
    layout = Layout(tmp_path)
    Disk().write(layout.staged / "edge/1/release.json", content)
    with pytest.raises(RepositoryError):
        read_staged(layout)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (5 << 40, "5120.0 GiB"),
    ],
)
def test_size_text_units(size: int, text: str) -> None:
    assert size_text(size) == text


def test_errors_have_a_word_each_and_a_known_exit_code() -> None:
    kinds = [
        BusyError,
        ConflictError,
        InputError,
        KeyAccessError,
        RepositoryError,
        UnknownReleaseError,
        UsageError,
        WriteError,
    ]
    assert set(ReleaseError.__subclasses__()) == set(kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert {kind.exit_code for kind in kinds} == {64, 65, 74, 75, 77}
    assert str(UsageError("what", on="where")) == "what (where)"
    assert str(UsageError("what")) == "what"
