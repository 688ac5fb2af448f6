# SPDX-License-Identifier: Apache-2.0
"""The release repository on good metadata: what it says, keeps, and hands to boot control."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import TargetFile

from puad.config import Limits
from puad.core.errors import Code, DownloadError, StorageError, TrustError
from puad.download.release import SeenVersions
from tests.unit.download.conftest import IMAGE, INDEX, Open
from tests.unit.download.signed_repository import NOW, SignedRepository


def test_release_of_published_image_has_its_signed_facts(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    release = node.release(IMAGE)
    assert release.path == IMAGE
    assert release.file_size == 8
    assert release.file_hash == hashlib.sha256(b"the file").hexdigest()
    assert release.manifest.version == "13.1"
    assert node.releases() == (release,)


def test_source_of_release_gives_its_bytes(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    assert b"".join(node.source(IMAGE).read(4, 4, lambda: False)) == b"file"


def test_small_target_comes_whole(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    assert node.small_target(INDEX, 9) == b"the index"


def test_small_target_larger_than_allowed_is_refused(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.small_target(INDEX, 8)
    assert caught.value.code is Code.MANIFEST_INVALID


@pytest.mark.parametrize("forged", [b"the jndex", b"the inde", b"the index+"])
def test_small_target_with_other_bytes_is_refused(
    open_node: Open, published: SignedRepository, forged: bytes
) -> None:
    published.place(INDEX).write_bytes(forged)
    node = open_node()
    node.refresh()
    with pytest.raises((TrustError, DownloadError)) as caught:
        node.small_target(INDEX, 100)
    assert caught.value.code in {Code.HASH_MISMATCH, Code.DOWNLOAD_MISMATCH}


def test_small_target_that_is_absent_is_refused(
    open_node: Open, published: SignedRepository
) -> None:
    published.place(INDEX).unlink()
    node = open_node()
    node.refresh()
    with pytest.raises(DownloadError) as caught:
        node.small_target(INDEX, 100)
    assert caught.value.code is Code.DOWNLOAD_REFUSED


def test_target_that_is_not_signed_is_unknown(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.release("edge/13.2/edge-13.2.raw.zst")
    assert caught.value.code is Code.TARGET_UNKNOWN


def test_target_without_manifest_is_no_release(open_node: Open) -> None:
    node = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.release(INDEX)
    assert caught.value.code is Code.MANIFEST_INVALID


def test_target_without_sha256_is_refused(open_node: Open, published: SignedRepository) -> None:
    published.targets.targets["odd"] = TargetFile(1, {"sha512": "00"}, "odd")
    published.publish()
    node = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.small_target("odd", 10)
    assert caught.value.code is Code.MANIFEST_INVALID


def test_repository_before_refresh_says_nothing(open_node: Open) -> None:
    with pytest.raises(RuntimeError):
        open_node().release(IMAGE)


def test_seen_after_refresh_names_every_version(
    open_node: Open, published: SignedRepository
) -> None:
    published.publish()
    node = open_node()
    node.refresh()
    assert node.seen() == SeenVersions(1, 3, 3, 3, published.timestamp.expires)


def test_chain_without_rotation_has_no_roots(open_node: Open, published: SignedRepository) -> None:
    node = open_node()
    node.refresh()
    assert node.chain().roots == ()
    assert node.chain().targets == (published.metadata / "2.targets.json").read_bytes()


def test_chain_after_rotations_has_every_root_in_order(
    open_node: Open, published: SignedRepository
) -> None:
    node = open_node()
    published.rotate("root")
    published.rotate("targets", "root")
    published.publish()
    files = tuple((published.metadata / f"{n}.root.json").read_bytes() for n in (2, 3))
    for _with_kept_roots in range(2):
        node.refresh()
        assert node.chain().roots == files
        assert node.seen().root == 3


def test_kept_roots_are_not_fetched_again(open_node: Open, published: SignedRepository) -> None:
    published.rotate("root")
    published.publish()
    node = open_node(trust_root=published.metadata / "1.root.json")
    node.refresh()
    (published.metadata / "2.root.json").unlink()
    node.refresh()
    assert node.seen().root == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff" * 100])
def test_kept_root_that_is_damaged_is_fetched_again(
    open_node: Open, published: SignedRepository, tmp_path: Path, damage: bytes
) -> None:
    published.rotate("root")
    published.publish()
    node = open_node(trust_root=published.metadata / "1.root.json")
    node.refresh()
    kept = tmp_path / "cache" / "2.root.json"
    kept.write_bytes(damage)
    node.refresh()
    assert kept.read_bytes() == published.root_file.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]"])
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_kept_metadata_that_are_damaged_are_fetched_again(
    open_node: Open, published: SignedRepository, tmp_path: Path, role: str, damage: bytes
) -> None:
    open_node().refresh()
    kept = tmp_path / "cache" / f"{role}.json"
    good = kept.read_bytes()
    kept.write_bytes(damage)
    open_node().refresh()
    assert kept.read_bytes() == good


def test_refresh_that_fails_leaves_the_kept_metadata(
    open_node: Open, published: SignedRepository, tmp_path: Path
) -> None:
    node = open_node()
    node.refresh()
    kept = {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    published.publish()
    (published.metadata / "3.targets.json").write_bytes(b"{}")
    with pytest.raises(TrustError):
        node.refresh()
    assert {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()} == kept
    assert node.release(IMAGE).manifest.version == "13.1"


def test_cache_that_cannot_be_written_is_a_storage_error(open_node: Open, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder belongs")
    with pytest.raises(StorageError) as caught:
        open_node().refresh()
    assert caught.value.code is Code.STATE_UNWRITABLE


def test_metadata_expired_by_the_clock_hold_at_an_earlier_reference_time(
    open_node: Open, published: SignedRepository
) -> None:
    long_ago = NOW - timedelta(days=3000)
    for signed in (published.root, published.timestamp, published.snapshot, published.targets):
        signed.expires = long_ago
    published.root.version += 1
    published.write_root()
    published.publish()
    open_node(reference_time=long_ago - timedelta(days=1)).refresh()


def test_targets_of_delegated_roles_are_not_followed(
    open_node: Open, published: SignedRepository
) -> None:
    data = published.targets.to_dict()
    key = published.signers["targets"][0].public_key
    data["delegations"] = {
        "keys": {key.keyid: key.to_dict()},
        "roles": [
            {
                "name": "other",
                "keyids": [key.keyid],
                "threshold": 1,
                "terminating": False,
                "paths": ["*"],
            }
        ],
    }
    published.targets = type(published.targets).from_dict(data)
    published.publish()
    node = open_node()
    node.refresh()
    with pytest.raises(TrustError) as caught:
        node.release("anything")
    assert caught.value.code is Code.TARGET_UNKNOWN


@pytest.mark.parametrize(
    ("role", "field"),
    [
        ("timestamp", "timestamp_bytes"),
        ("snapshot", "snapshot_bytes"),
        ("targets", "targets_bytes"),
        ("root", "root_metadata_bytes"),
    ],
)
def test_metadata_longer_than_allowed_are_cut(
    open_node: Open, published: SignedRepository, role: str, field: str
) -> None:
    node_root = published.root_file.read_bytes()
    published.rotate("root")
    published.snapshot.meta["targets.json"].length = None
    for signed in (published.timestamp, published.snapshot, published.targets, published.root):
        signed.unrecognized_fields["filler"] = "x" * (10_000 if signed.type == role else 0)
    published.root.version += 1
    published.write_root()
    published.publish()
    _drop_lengths(published)
    limits = Limits(**{field: max(4096, len(node_root) + 1)})
    with pytest.raises(DownloadError) as caught:
        open_node(limits=limits).refresh()
    assert caught.value.code is Code.DOWNLOAD_MISMATCH


def _drop_lengths(published: SignedRepository) -> None:
    """Leave only versions in snapshot and timestamp: nothing but the limits bounds a file."""
    published.snapshot.meta["targets.json"].length = None
    published.snapshot.meta["targets.json"].hashes = None
    published.write(published.snapshot, f"{published.snapshot.version}.snapshot.json")
    published.timestamp.snapshot_meta.length = None
    published.timestamp.snapshot_meta.hashes = None
    published.write(published.timestamp, "timestamp.json")
