# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from securesystemslib.signer import CryptoSigner

from bootloader import trust
from bootloader.chain import (
    MAX_CHAIN_BYTES,
    MAX_ROOT_BYTES,
    MAX_ROOTS,
    MAX_TARGETS_BYTES,
    MAX_VALUES,
    Chain,
)
from bootloader.errors import BootloaderError, ErrorName
from bootloader.manifest import Manifest
from bootloader.seen_root import SeenRoot
from puad.config import Limits
from tests.unit.bootloader.signing import (
    BUILT_AT,
    NOW,
    TARGET,
    Publisher,
    boot_file,
    manifest_of,
)

IMAGE = b"image"


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def verify(
    trust_root: bytes,
    targets: bytes,
    *roots: bytes,
    path: str = TARGET,
    now: datetime = NOW,
    seen: SeenRoot | None = None,
) -> Manifest:
    return trust.verify(trust_root, Chain(roots, targets, path), seen).manifest(path, now)


def refusal(
    trust_root: bytes,
    targets: bytes,
    *roots: bytes,
    path: str = TARGET,
    now: datetime = NOW,
    seen: SeenRoot | None = None,
) -> ErrorName:
    with pytest.raises(BootloaderError) as caught:
        verify(trust_root, targets, *roots, path=path, now=now, seen=seen)
    return caught.value.name


def seen_root(trust_root: bytes, targets: bytes, *roots: bytes) -> SeenRoot:
    return trust.verify(trust_root, Chain(roots, targets, TARGET), None).seen_root


def test_verify_gives_the_signed_manifest(publisher: Publisher) -> None:
    custom = manifest_of(IMAGE, boot_files=[boot_file("uki", b"uki")], min_version="13.0")
    manifest = verify(publisher.root(), publisher.targets(custom))
    assert manifest.profile == "edge"
    assert manifest.image_size == len(IMAGE)
    assert manifest.min_version == "13.0"
    assert [kind.value for kind in manifest.boot_files] == ["uki"]


def test_verify_without_signatures_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE), signers=[])
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_below_the_threshold_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE), signers=publisher.targets_keys[:1])
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_with_one_key_signing_twice_is_refused(publisher: Publisher) -> None:
    once = json.loads(publisher.targets(manifest_of(IMAGE), signers=publisher.targets_keys[:1]))
    once["signatures"] *= 2
    targets = json.dumps(once).encode()
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_with_another_roles_keys_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE), signers=publisher.root_keys)
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_with_strange_keys_is_refused(publisher: Publisher) -> None:
    strange = [CryptoSigner.generate_ed25519() for _ in range(2)]
    targets = publisher.targets(manifest_of(IMAGE), signers=strange)
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_of_changed_bytes_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE)).replace(b'"13.1"', b'"13.2"')
    assert refusal(publisher.root(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_of_another_role_as_targets_is_refused(publisher: Publisher) -> None:
    root = publisher.root()
    assert refusal(root, root) is ErrorName.SIGNATURE_INVALID


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b'{"signed": 1}', b"\xff"])
def test_verify_of_nonsense_is_refused(publisher: Publisher, data: bytes) -> None:
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(publisher.root(), data) is ErrorName.SIGNATURE_INVALID
    assert refusal(publisher.root(), targets, data) is ErrorName.SIGNATURE_INVALID
    assert refusal(data, targets) is ErrorName.SIGNATURE_INVALID


def test_verify_with_an_unsigned_root_of_trust_is_refused(publisher: Publisher) -> None:
    document = json.loads(publisher.root())
    document["signatures"] = []
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(json.dumps(document).encode(), targets) is ErrorName.SIGNATURE_INVALID


def test_verify_follows_a_rotated_root(publisher: Publisher) -> None:
    first = publisher.root(1)
    second = publisher.root(2, signers=publisher.rotate_root())
    third = publisher.root(3, signers=publisher.rotate_root())
    publisher.targets_keys = [CryptoSigner.generate_ed25519() for _ in range(2)]
    fourth = publisher.root(4)
    targets = publisher.targets(manifest_of(IMAGE))
    assert verify(first, targets, second, third, fourth).version == "13.1"
    assert refusal(first, targets, second, third) is ErrorName.SIGNATURE_INVALID


def test_verify_with_a_root_that_the_old_keys_did_not_sign_is_refused(
    publisher: Publisher,
) -> None:
    first = publisher.root(1)
    publisher.rotate_root()
    second = publisher.root(2)
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(first, targets, second) is ErrorName.SIGNATURE_INVALID


def test_verify_with_a_root_that_its_own_keys_did_not_sign_is_refused(
    publisher: Publisher,
) -> None:
    first = publisher.root(1)
    old = publisher.rotate_root()
    document = json.loads(publisher.root(2, signers=old))
    ids = {key.public_key.keyid for key in old}
    document["signatures"] = [row for row in document["signatures"] if row["keyid"] in ids]
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(first, targets, json.dumps(document).encode()) is ErrorName.SIGNATURE_INVALID


@pytest.mark.parametrize("version", [1, 3])
def test_verify_with_a_gap_in_the_root_chain_is_refused(publisher: Publisher, version: int) -> None:
    targets = publisher.targets(manifest_of(IMAGE))
    chain = publisher.root(version)
    assert refusal(publisher.root(1), targets, chain) is ErrorName.SIGNATURE_INVALID


def test_verify_with_too_long_a_chain_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE))
    chain = [publisher.root(2)] * (MAX_ROOTS + 1)
    assert refusal(publisher.root(1), targets, *chain) is ErrorName.INVALID_ARGUMENT
    large = [bytes(MAX_ROOT_BYTES)] * (MAX_CHAIN_BYTES // MAX_ROOT_BYTES + 1)
    assert refusal(publisher.root(1), targets, *large) is ErrorName.INVALID_ARGUMENT
    dense = b"[" + b"{}," * (MAX_VALUES // 2) + b"{}]"
    assert refusal(publisher.root(1), dense) is ErrorName.INVALID_ARGUMENT
    endless = b" " * (MAX_TARGETS_BYTES + 1)
    assert refusal(publisher.root(1), endless) is ErrorName.INVALID_ARGUMENT


def test_bounds_are_those_of_other_clients() -> None:
    assert MAX_TARGETS_BYTES == Limits().targets_bytes == 5 << 20
    assert Limits().root_metadata_bytes == MAX_ROOT_BYTES
    assert Limits().root_rotations == MAX_ROOTS


def test_verify_with_a_chain_that_ends_below_the_seen_root_is_refused(
    publisher: Publisher,
) -> None:
    first, targets = publisher.root(1), publisher.targets(manifest_of(IMAGE))
    second = publisher.root(2)
    seen = seen_root(first, targets, second)
    assert seen.version == 2
    assert verify(first, targets, second, seen=seen).version == "13.1"
    assert verify(first, targets, second, publisher.root(3), seen=seen).version == "13.1"
    with pytest.raises(BootloaderError, match="ends at version 1, but version 2") as caught:
        verify(first, targets, seen=seen)
    assert caught.value.name is ErrorName.SIGNATURE_INVALID


def test_verify_with_another_root_of_the_seen_version_is_refused(publisher: Publisher) -> None:
    first, targets = publisher.root(1), publisher.targets(manifest_of(IMAGE))
    seen = seen_root(first, targets, publisher.root(2))
    other = publisher.root(2, expires=NOW + timedelta(days=1))
    with pytest.raises(BootloaderError, match="another root of version 2") as caught:
        verify(first, targets, other, seen=seen)
    assert caught.value.name is ErrorName.SIGNATURE_INVALID


def test_verify_takes_the_seen_root_with_more_signatures(publisher: Publisher) -> None:
    first, targets = publisher.root(1), publisher.targets(manifest_of(IMAGE))
    seen = seen_root(first, targets, publisher.root(2))
    again = publisher.root(2, signers=[CryptoSigner.generate_ed25519()])
    assert verify(first, targets, again, seen=seen).version == "13.1"


def test_verify_of_expired_targets_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE), expires=NOW - timedelta(seconds=1))
    assert refusal(publisher.root(), targets) is ErrorName.EXPIRED


def test_verify_with_an_expired_last_root_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(publisher.root(expires=NOW), targets) is ErrorName.EXPIRED


def test_verify_passes_over_expired_roots_before_the_last(publisher: Publisher) -> None:
    first = publisher.root(1, expires=NOW - timedelta(days=300))
    targets = publisher.targets(manifest_of(IMAGE))
    assert verify(first, targets, publisher.root(2)).version == "13.1"


def test_verify_with_a_clock_that_stands_still_uses_the_build_time(publisher: Publisher) -> None:
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    outdated = publisher.targets(manifest_of(IMAGE), expires=BUILT_AT - timedelta(days=1))
    assert refusal(publisher.root(), outdated, now=long_ago) is ErrorName.EXPIRED


def test_verify_of_an_unlisted_target_is_refused(publisher: Publisher) -> None:
    targets = publisher.targets(manifest_of(IMAGE))
    assert refusal(publisher.root(), targets, path="edge/other") is ErrorName.TARGET_UNKNOWN


@pytest.mark.parametrize(
    "custom",
    [
        None,
        {},
        {"puad": []},
        manifest_of(IMAGE, schema=2),
        manifest_of(IMAGE, profile=""),
        manifest_of(IMAGE, profile="../x"),
        manifest_of(IMAGE, version=13),
        manifest_of(IMAGE, image_size=0),
        manifest_of(IMAGE, image_size=1 << 41),
        manifest_of(IMAGE, image_size=True),
        manifest_of(IMAGE, image_sha256="0" * 63),
        manifest_of(IMAGE, built_at="yesterday"),
        manifest_of(IMAGE, root_partuuid="x"),
        manifest_of(IMAGE, boot_files={}),
        manifest_of(IMAGE, boot_files=[1]),
        manifest_of(IMAGE, boot_files=[boot_file("grub", b"x")]),
        manifest_of(IMAGE, boot_files=[boot_file("uki", b"x")] * 2),
        manifest_of(IMAGE, boot_files=[boot_file("uki", b"")]),
        manifest_of(IMAGE, boot_files=[boot_file("uki", b"x")] * 4),
    ],
)
def test_verify_of_a_target_that_is_no_image_is_refused(
    publisher: Publisher, custom: dict[str, object] | None
) -> None:
    assert refusal(publisher.root(), publisher.targets(custom)) is ErrorName.TARGET_UNKNOWN
