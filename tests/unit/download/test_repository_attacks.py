# SPDX-License-Identifier: Apache-2.0
"""The release repository against each attack that TUF knows (Bad input; TUF, attacks)."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from puad.core.errors import Code, DownloadError, PuadError, TrustError
from puad.download.release import SeenVersions
from tests.unit.download.conftest import IMAGE, Open
from tests.unit.download.signed_repository import NOW, SignedRepository

PARTS = ("timestamp", "snapshot", "targets")


def refused(open_node: Open, **options: object) -> Code:
    with pytest.raises(TrustError) as caught:
        open_node(**options).refresh()
    return caught.value.code


@pytest.mark.parametrize("role", PARTS)
def test_metadata_without_signature_are_refused(
    open_node: Open, published: SignedRepository, role: str
) -> None:
    published.signers[role] = []
    published.publish()
    assert refused(open_node) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("role", PARTS)
def test_metadata_signed_by_unknown_key_are_refused(
    open_node: Open, published: SignedRepository, role: str
) -> None:
    published.signers[role] = [CryptoSigner.generate_ed25519()]
    published.publish()
    assert refused(open_node) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("role", "other"),
    [("timestamp", "snapshot"), ("snapshot", "targets"), ("targets", "timestamp")],
)
def test_metadata_signed_by_another_roles_key_are_refused(
    open_node: Open, published: SignedRepository, role: str, other: str
) -> None:
    published.signers[role] = published.signers[other]
    published.publish()
    assert refused(open_node) is Code.SIGNATURE_INVALID


def test_metadata_of_another_role_in_its_place_are_refused(
    open_node: Open, published: SignedRepository
) -> None:
    shutil.copy(published.metadata / "2.snapshot.json", published.metadata / "timestamp.json")
    assert refused(open_node) is Code.SIGNATURE_INVALID


def test_threshold_of_two_met_by_one_key_twice_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    published.root.roles["targets"].threshold = 2
    published.root.version += 1
    published.write_root()
    published.signers["targets"] *= 2
    published.publish()
    assert refused(open_node) is Code.SIGNATURE_INVALID


def test_flipped_bit_in_targets_is_refused(open_node: Open, published: SignedRepository) -> None:
    path = published.metadata / "2.targets.json"
    path.write_bytes(path.read_bytes().replace(b"13.1", b"13.2"))
    assert refused(open_node) is Code.HASH_MISMATCH


@pytest.mark.parametrize("part", [*PARTS, "root"])
def test_expired_metadata_are_refused(
    open_node: Open, published: SignedRepository, part: str
) -> None:
    signed = getattr(published, part)
    signed.expires = NOW - timedelta(seconds=1)
    published.root.version += 1
    published.write_root()
    published.publish()
    assert refused(open_node) is Code.METADATA_EXPIRED


def test_freeze_with_kept_metadata_is_found_when_they_expire(
    open_node: Open, published: SignedRepository
) -> None:
    open_node().refresh()
    later = published.timestamp.expires + timedelta(seconds=1)
    assert refused(open_node, reference_time=later) is Code.METADATA_EXPIRED


def test_other_repository_is_refused(
    open_node: Open, published: SignedRepository, tmp_path: Path
) -> None:
    other = SignedRepository(tmp_path / "other")
    for path in other.metadata.iterdir():
        shutil.copy(path, published.metadata / path.name)
    assert refused(open_node) is Code.SIGNATURE_INVALID


def test_older_timestamp_is_a_rollback(open_node: Open, published: SignedRepository) -> None:
    old = (published.metadata / "timestamp.json").read_bytes()
    published.publish()
    open_node().refresh()
    (published.metadata / "timestamp.json").write_bytes(old)
    assert refused(open_node) is Code.METADATA_ROLLBACK


def test_older_repository_with_wiped_cache_is_a_rollback(
    open_node: Open, published: SignedRepository, tmp_path: Path
) -> None:
    shutil.copytree(published.folder, tmp_path / "old")
    published.publish()
    node = open_node()
    node.refresh()
    seen = node.seen()
    shutil.rmtree(tmp_path / "cache")
    assert refused(open_node, folder=tmp_path / "old", floor=seen) is Code.METADATA_ROLLBACK
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_each_version_has_its_own_floor(open_node: Open, role: str) -> None:
    node = open_node()
    node.refresh()
    floor = SeenVersions(**{role: getattr(node.seen(), role) + 1})
    assert refused(open_node, floor=floor) is Code.METADATA_ROLLBACK


def test_same_versions_as_the_floor_hold(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    open_node(floor=node.seen()).refresh()


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_versions_may_fall_after_fast_forward_when_keys_were_replaced(
    open_node: Open, published: SignedRepository, role: str
) -> None:
    floor = SeenVersions(root=1, timestamp=10_000, snapshot=10_000, targets=10_000)
    node_root = published.root_file
    published.rotate(role)
    published.publish()
    open_node(floor=floor, trust_root=node_root).refresh()


def test_versions_may_not_fall_when_other_keys_were_replaced(
    open_node: Open, published: SignedRepository
) -> None:
    floor = SeenVersions(root=1, timestamp=10_000)
    node_root = published.root_file
    published.rotate("targets", "root")
    published.publish()
    assert refused(open_node, floor=floor, trust_root=node_root) is Code.METADATA_ROLLBACK


def test_mixed_snapshot_and_targets_are_refused(
    open_node: Open, published: SignedRepository
) -> None:
    published.publish()
    shutil.copy(published.metadata / "2.targets.json", published.metadata / "3.targets.json")
    assert refused(open_node) in {Code.HASH_MISMATCH, Code.METADATA_ROLLBACK}


def test_snapshot_of_another_version_than_the_timestamp_says_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    published.publish()
    published.timestamp.snapshot_meta.hashes = None
    published.timestamp.snapshot_meta.length = None
    published.write(published.timestamp, "timestamp.json")
    shutil.copy(published.metadata / "2.snapshot.json", published.metadata / "3.snapshot.json")
    assert refused(open_node) is Code.METADATA_ROLLBACK


def test_new_root_not_signed_by_the_old_keys_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    published.rotate("root")
    published.write_root(published.signers["root"])
    published.publish()
    trust_root = published.metadata / "1.root.json"
    assert refused(open_node, trust_root=trust_root) is Code.SIGNATURE_INVALID


def test_new_root_not_signed_by_its_own_keys_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    old = published.signers["root"]
    published.rotate("root")
    published.write_root(old)
    published.publish()
    trust_root = published.metadata / "1.root.json"
    assert refused(open_node, trust_root=trust_root) is Code.SIGNATURE_INVALID


def test_root_that_skips_a_version_is_refused(open_node: Open, published: SignedRepository) -> None:
    published.root.version = 3
    published.write(published.root, "2.root.json")
    assert refused(open_node) is Code.METADATA_ROLLBACK


def test_timestamp_keys_of_a_replaced_root_count_no_more(
    open_node: Open, published: SignedRepository
) -> None:
    old = published.signers["timestamp"]
    published.rotate("timestamp")
    published.publish()
    published.write(published.timestamp, "timestamp.json", old)
    trust_root = published.metadata / "1.root.json"
    assert refused(open_node, trust_root=trust_root) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "hostile",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 10_000, b'{"signed": {}, "signatures": 1}'],
    ids=["empty", "null", "list", "object", "no-text", "deep", "wrong-types"],
)
@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_metadata_that_are_no_metadata_are_refused(
    open_node: Open, published: SignedRepository, name: str, hostile: bytes
) -> None:
    (published.metadata / name).write_bytes(hostile)
    assert refused(open_node) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_metadata_that_are_absent_are_a_download_error(
    open_node: Open, published: SignedRepository, name: str
) -> None:
    (published.metadata / name).unlink()
    with pytest.raises(DownloadError) as caught:
        open_node().refresh()
    assert caught.value.code is Code.DOWNLOAD_REFUSED


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}", b"[" * 10_000],
    ids=["absent", "empty", "object", "deep"],
)
def test_root_of_trust_that_is_none_is_refused(
    open_node: Open, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bad-root.json"
    if content is not None:
        path.write_bytes(content)
    assert refused(open_node, trust_root=path) is Code.ROOT_OF_TRUST_MISSING


def test_root_of_trust_of_another_role_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    trust_root = published.metadata / "timestamp.json"
    assert refused(open_node, trust_root=trust_root) is Code.ROOT_OF_TRUST_MISSING


def test_root_of_trust_not_signed_by_itself_is_refused(
    open_node: Open, published: SignedRepository, tmp_path: Path
) -> None:
    metadata = Metadata.from_file(str(published.root_file))
    metadata.signatures.clear()
    path = tmp_path / "unsigned-root.json"
    metadata.to_file(str(path))
    assert refused(open_node, trust_root=path) is Code.ROOT_OF_TRUST_MISSING


def test_nothing_is_known_after_a_refused_refresh(
    open_node: Open, published: SignedRepository
) -> None:
    published.signers["timestamp"] = []
    published.publish()
    node = open_node()
    with pytest.raises(PuadError):
        node.refresh()
    with pytest.raises(RuntimeError):
        node.release(IMAGE)
