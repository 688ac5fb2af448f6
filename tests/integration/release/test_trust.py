# SPDX-License-Identifier: Apache-2.0
"""Thresholds, rotations, expiry and forged folders, as an old client sees them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tuf.api.exceptions import ExpiredMetadataError
from tuf.api.metadata import Metadata, Root

from orchestrator_stub.release import commands
from orchestrator_stub.release.errors import KeyAccessError, RepositoryError
from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.layout import Layout
from orchestrator_stub.release.roles import CHAIN, Role, plan_roles
from tests.integration.release.conftest import Site

CHAIN_NAMES = [role.value for role in CHAIN]
ROLES = [role.value for role in Role]


def signatures(path: Path) -> int:
    return len(Metadata.from_file(str(path)).signatures)


def hide(keys: Path, pattern: str, count: int) -> None:
    """Take keys off this machine."""
    for path in sorted(keys.glob(pattern))[:count]:
        path.rename(path.with_suffix(".away"))


def bring_back(keys: Path) -> None:
    for path in keys.glob("*.away"):
        path.rename(path.with_suffix(".pem"))


def snapshot_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# thresholds


def test_init_default_root_needs_two_of_three_keys(site: Site) -> None:
    root = Metadata[Root].from_file(str(site.layout.root(1))).signed
    assert (len(root.roles["root"].keyids), root.roles["root"].threshold) == (3, 2)
    assert all(root.roles[role].threshold == 1 for role in CHAIN_NAMES)
    assert len(set(root.keys)) == 6


def test_publish_with_too_few_targets_keys_changes_nothing(bare_site: Site) -> None:
    bare_site.run("init", "--threshold", "targets=2", "--key-count", "targets=3")
    bare_site.add("1")
    hide(bare_site.keys, "targets-*", 2)
    before = snapshot_of(bare_site.repo)
    error = bare_site.run("publish", expect=77)["error"]
    assert error["code"] == "key-unusable"
    assert "2 of its keys" in error["what"]
    assert snapshot_of(bare_site.repo) == before
    bring_back(bare_site.keys)
    hide(bare_site.keys, "targets-*", 1)
    bare_site.run("publish")
    assert "edge/1/profile.yaml" in bare_site.client().targets(bare_site.repo)


def test_rotate_with_too_few_root_keys_changes_nothing_and_makes_no_key(site: Site) -> None:
    hide(site.keys, "root-*", 2)
    before = snapshot_of(site.folder)
    error = site.run("rotate", "timestamp", expect=77)["error"]
    assert "root role needs 2" in error["what"]
    assert snapshot_of(site.folder) == before


def test_rotate_with_one_root_key_lost_replaces_it(site: Site) -> None:
    client = site.client()
    client.targets(site.repo)
    lost = min(site.keys.glob("root-*"))
    lost.unlink()
    answer = site.run("rotate", "root", "--old-key", lost.stem.removeprefix("root-"))
    assert answer["old_keys"] == [str(lost)]
    assert len(list(site.keys.glob("root-*"))) == 3
    site.release("1")
    assert "edge/1/profile.yaml" in client.targets(site.repo)


# rotation


@pytest.mark.parametrize("role", ROLES)
def test_rotate_role_old_client_follows_and_old_key_is_no_longer_needed(
    site: Site, role: str
) -> None:
    site.release("1")
    old, seen = site.client("old"), site.client("seen")
    seen.targets(site.repo)
    answer = site.run("rotate", role)
    assert set(answer["new_keys"]).isdisjoint(answer["old_keys"])
    for path in answer["old_keys"]:
        Path(path).unlink()
    site.release("2", seed=2)
    for client in (old, seen, site.client("new", root=2)):
        assert "edge/2/profile.yaml" in client.fetch_all(site.repo)


def test_rotate_all_roles_again_and_again_client_of_the_first_root_follows(site: Site) -> None:
    client = site.client()
    for _ in range(3):
        for role in ROLES:
            for path in site.run("rotate", role)["old_keys"]:
                Path(path).unlink()
    site.release("1")
    assert "edge/1/profile.yaml" in client.fetch_all(site.repo)
    assert json.loads((client.cache / "root.json").read_text())["signed"]["version"] == 13


@pytest.mark.parametrize("role", CHAIN_NAMES)
def test_rotate_after_the_old_key_is_lost_serves_clients(site: Site, role: str) -> None:
    site.release("1")
    client = site.client()
    client.targets(site.repo)
    hide(site.keys, f"{role}-*", 1)
    site.run("rotate", role)
    assert "edge/1/profile.yaml" in client.fetch_all(site.repo)
    site.release("2", seed=2)
    assert "edge/2/profile.yaml" in client.fetch_all(site.repo)


def test_rotate_signs_with_both_keys_until_the_next_publication(site: Site) -> None:
    site.release("1")
    site.run("rotate", "timestamp")
    assert signatures(site.layout.timestamp) == 2
    site.run("publish", "--refresh")
    assert signatures(site.layout.timestamp) == 1


def test_rotate_unknown_key_id_is_refused(site: Site) -> None:
    assert site.run("rotate", "root", "--old-key", "zz", expect=64)["error"]["code"] == "usage"
    assert site.run("rotate", "root", "--old-key", "", expect=64)["error"]["code"] == "usage"


# expiry


def test_expired_timestamp_is_refused_until_published_again(site: Site) -> None:
    late = site.now + timedelta(days=400)
    publisher = site.publisher()
    site.now = late
    client = site.client(now=late)
    with pytest.raises(ExpiredMetadataError):
        client.targets(site.repo)
    answer = commands.publish(site.publisher(), refresh=False)
    assert set(answer["signed"]) == set(ROLES)
    assert "profiles.json" in client.targets(site.repo)
    assert publisher.now < late


@pytest.mark.parametrize(
    ("after", "signed"),
    [
        (timedelta(hours=11), set()),
        (timedelta(hours=13), {"timestamp"}),
        (timedelta(days=4), {"snapshot", "timestamp"}),
        (timedelta(days=46), {"targets", "snapshot", "timestamp"}),
        (timedelta(days=183), {"root", "targets", "snapshot", "timestamp"}),
    ],
)
def test_publish_renews_what_has_less_than_half_of_its_validity_left(
    bare_site: Site, after: timedelta, signed: set[str]
) -> None:
    commands.init(bare_site.publisher(), plan_roles([], [], []))
    bare_site.now += after
    answer = commands.publish(bare_site.publisher(), refresh=False)
    assert set(answer["signed"]) == signed
    assert answer["warnings"] == []
    assert "profiles.json" in bare_site.client(now=bare_site.now).targets(bare_site.repo)


def test_publish_refresh_signs_the_chain_anew_at_any_time(site: Site) -> None:
    assert set(site.run("publish", "--refresh")["signed"]) == set(CHAIN_NAMES)


def test_publish_with_timestamp_key_alone_renews_it_and_warns_of_the_rest(bare_site: Site) -> None:
    commands.init(bare_site.publisher(), plan_roles([], [], []))
    for role in ("root", "targets", "snapshot"):
        hide(bare_site.keys, f"{role}-*", 9)
    bare_site.now += timedelta(days=6)
    answer = commands.publish(bare_site.publisher(), refresh=False)
    assert set(answer["signed"]) == {"timestamp"}
    assert [warning.split()[0] for warning in answer["warnings"]] == ["snapshot"]
    assert "profiles.json" in bare_site.client(now=bare_site.now).targets(bare_site.repo)


# forged folders: who can write to what is served gets nothing signed


def test_publish_forged_targets_in_the_served_folder_is_refused(site: Site) -> None:
    site.release("1")
    path = site.repo / "metadata/2.targets.json"
    path.write_bytes(path.read_bytes().replace(b"edge-1.raw.zst", b"edge-9.raw.zst"))
    assert site.run("publish", "--refresh", expect=65)["error"]["code"] == "repository-invalid"


def test_publish_forged_timestamp_is_refused(site: Site) -> None:
    path = site.layout.timestamp
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":7'))
    assert site.run("publish", expect=65)["error"]["code"] == "repository-invalid"


def test_publish_whole_folder_of_another_publisher_is_refused(
    site: Site, make_site: Callable[[str], Site]
) -> None:
    stranger = make_site("stranger")
    stranger.release("666")
    shutil.rmtree(site.repo / "metadata")
    shutil.copytree(stranger.repo / "metadata", site.repo / "metadata")
    error = site.run("publish", "--refresh", expect=65)["error"]
    assert "not signed by the repository's own keys" in error["what"]


def test_publish_root_and_metadata_of_a_stranger_are_refused(
    site: Site, make_site: Callable[[str], Site]
) -> None:
    """All that a stranger needs but the old root's signature."""
    stranger = make_site("stranger")
    stranger.run("rotate", "root")
    stranger.release("666")
    first = site.layout.root(1).read_bytes()
    shutil.copytree(stranger.repo, site.repo, dirs_exist_ok=True)
    site.layout.root(1).write_bytes(first)
    error = site.run("publish", "--refresh", expect=65)["error"]
    assert error["on"] == str(site.layout.root(2))


def test_publish_forged_catalogue_is_refused(site: Site) -> None:
    site.release("1")
    for path in (site.repo / "targets").glob("*.profiles.json"):
        path.write_bytes(path.read_bytes().replace(b"edge", b"evil"))
    assert site.run("publish", expect=65)["error"]["code"] == "repository-invalid"


def test_publish_old_metadata_put_back_is_refused(site: Site) -> None:
    """Else what was withdrawn would be signed again."""
    site.release("1")
    old = site.layout.timestamp.read_bytes()
    site.run("withdraw", "1", "--reason", "eats disks")
    site.layout.timestamp.write_bytes(old)
    error = site.run("publish", "--refresh", expect=65)["error"]
    assert "would come back" in error["what"]


def test_publish_mixed_metadata_are_refused(site: Site) -> None:
    site.release("1")
    metadata = site.repo / "metadata"
    shutil.copy(metadata / "1.snapshot.json", metadata / "2.snapshot.json")
    error = site.run("publish", expect=65)["error"]
    assert "signed hash" in error["what"]


@pytest.mark.parametrize("content", [b"{}", b"[", b"x" * 20_000])
def test_publish_timestamp_of_another_form_is_refused(site: Site, content: bytes) -> None:
    site.layout.timestamp.write_bytes(content)
    assert site.run("publish", expect=65)["error"]["on"] == str(site.layout.timestamp)


def test_publish_role_in_place_of_another_is_refused(site: Site) -> None:
    shutil.copy(site.repo / "metadata/1.snapshot.json", site.layout.timestamp)
    assert "not timestamp" in site.run("publish", expect=65)["error"]["what"]


def test_publish_root_that_skips_a_number_is_refused(site: Site) -> None:
    site.run("rotate", "root")
    site.run("rotate", "root")
    site.layout.root(3).replace(site.layout.root(2))
    assert site.run("publish", expect=65)["error"]["code"] == "repository-invalid"


def test_publish_missing_metadata_is_refused(site: Site) -> None:
    site.layout.timestamp.unlink()
    error = site.run("publish", expect=65)["error"]
    assert error["on"].endswith("timestamp.json")


# keys


def test_init_keys_are_private_and_outside_what_is_served(site: Site) -> None:
    assert site.keys.stat().st_mode & 0o777 == 0o700
    files = list(site.keys.iterdir())
    assert len(files) == 7
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    assert all(b"PRIVATE KEY" in path.read_bytes() for path in site.keys.glob("*.pem"))
    assert not any(b"PRIVATE" in data for data in snapshot_of(site.repo).values())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_publish_key_file_open_to_others_is_refused(site: Site, mode: int) -> None:
    [path] = site.keys.glob("timestamp-*")
    path.chmod(mode)
    error = site.run("publish", "--refresh", expect=77)["error"]
    assert error["on"] == str(path)
    assert "chmod 600" in error["hint"]


def test_init_keys_folder_open_to_others_is_refused(bare_site: Site) -> None:
    bare_site.keys.mkdir()
    bare_site.keys.chmod(0o755)
    assert bare_site.run("init", expect=77)["error"]["code"] == "key-unusable"
    assert not bare_site.layout.timestamp.exists()


@pytest.mark.parametrize("place", ["", "targets/keys", "unpublished"])
def test_init_keys_inside_the_repository_are_refused(bare_site: Site, place: str) -> None:
    keys = bare_site.repo / place
    answer = bare_site.run("init", "--keys", keys, expect=64, keys=False)
    assert answer["error"]["code"] == "usage"


def test_publish_keys_inside_the_repository_are_refused(site: Site) -> None:
    keys = site.repo / "targets/keys"
    shutil.copytree(site.keys, keys)
    assert site.run("publish", "--keys", keys, expect=64, keys=False)["error"]["code"] == "usage"


def test_keys_with_a_passphrase_sign_only_with_it(bare_site: Site) -> None:
    secret = bare_site.folder / "secret"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    words: list[str | Path] = ["--passphrase-file", secret]
    bare_site.run("init", *words)
    assert all(b"ENCRYPTED" in path.read_bytes() for path in bare_site.keys.glob("*.pem"))
    bare_site.add("1")
    error = bare_site.run("publish", expect=77)["error"]
    assert "locked" in error["what"]
    secret.write_text("battery staple\n")
    error = bare_site.run("publish", *words, expect=77)["error"]
    assert "wrong passphrase" in error["what"]
    assert "staple" not in json.dumps(error)
    secret.write_text("correct horse\n")
    bare_site.run("publish", *words)
    assert "edge/1/profile.yaml" in bare_site.client().targets(bare_site.repo)


def test_passphrase_file_open_to_others_or_empty_is_refused(bare_site: Site) -> None:
    secret = bare_site.folder / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    assert (
        "open to other"
        in bare_site.run("init", "--passphrase-file", secret, expect=77)["error"]["what"]
    )
    secret.chmod(0o600)
    secret.write_text("\n")
    assert "empty" in bare_site.run("init", "--passphrase-file", secret, expect=77)["error"]["what"]


def test_key_file_with_another_key_is_refused(site: Site) -> None:
    [targets] = site.keys.glob("targets-*")
    [timestamp] = site.keys.glob("timestamp-*")
    shutil.copy(targets, timestamp)
    error = site.run("publish", "--refresh", expect=77)["error"]
    assert "another key" in error["what"]


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\xff" * 70_000])
def test_key_file_that_is_damaged_is_refused(site: Site, content: bytes) -> None:
    [path] = site.keys.glob("timestamp-*")
    path.write_bytes(content)
    assert site.run("publish", "--refresh", expect=77)["error"]["code"] == "key-unusable"


def test_key_of_another_kind_is_refused(site: Site) -> None:
    [path] = site.keys.glob("timestamp-*")
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "Ed25519" in site.run("publish", "--refresh", expect=77)["error"]["what"]


def test_passphrase_file_that_is_absent_is_refused(site: Site) -> None:
    words: list[str | Path] = ["--passphrase-file", site.folder / "absent"]
    assert "cannot be read" in site.run("publish", *words, expect=77)["error"]["what"]


def test_key_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path)
    keys.file_of(Role.ROOT, "ab" * 32).mkdir()
    with pytest.raises(KeyAccessError, match="not a key file"):
        keys.signer(Role.ROOT, "ab" * 32)


def test_status_without_keys_folder_reads_the_first_root_of_the_repository(site: Site) -> None:
    answer = site.run("status", keys=False)
    assert {key["present"] for role in answer["roles"] for key in role["keys"]} == {None}


def test_read_repository_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no repository here"):
        commands.status(Layout(tmp_path), None, now=datetime.now(UTC))
