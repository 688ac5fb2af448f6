# SPDX-License-Identifier: Apache-2.0
"""Every refusal of Seal; each leaves the slot unsealed, unclaimed and unarmed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from bootloader.chain import Chain
from bootloader.chunks import MAX_INDEX_BYTES
from bootloader.errors import BootloaderError
from bootloader.notes import Notes
from tests.unit.bootloader.conftest import IMAGE, LINUX, Desk
from tests.unit.bootloader.signing import (
    BUILT_AT,
    INDEX,
    NOW,
    TARGET,
    boot_file,
    index_of,
    manifest_of,
)
from tests.unit.bootloader.slots import SLOT_BYTES


def assert_refused(desk: Desk, name: str, chain: Chain | None = None) -> None:
    assert desk.refusal(desk.control.seal, "b", chain or desk.chain()) == name
    assert not desk.control.slots()[1].sealed
    assert desk.control.slots()[1].image_id == ""
    assert desk.refusal(desk.control.arm, "b", 3) == "NotSealed"
    desk.access.claim_for_seal("b", SLOT_BYTES).release()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.prepare()
    return desk


def test_seal_holds_the_slot(ready: Desk) -> None:
    ready.control.seal("b", ready.chain())
    assert ready.control.slots()[1].sealed
    with pytest.raises(BlockingIOError):
        os.open(ready.access.path("b"), os.O_WRONLY | os.O_NONBLOCK)


def test_seal_twice_is_fine(ready: Desk) -> None:
    ready.control.seal("b", ready.chain())
    ready.control.seal("b", ready.chain())
    assert ready.control.slots()[1].sealed


def test_seal_follows_a_rotated_root(ready: Desk) -> None:
    second = ready.publisher.root(2, signers=ready.publisher.rotate_root())
    ready.control.seal("b", ready.chain([second]))
    assert ready.control.slots()[1].sealed


def test_seal_with_a_broken_root_chain_is_refused(ready: Desk) -> None:
    ready.publisher.rotate_root()
    assert_refused(ready, "SignatureInvalid", ready.chain([ready.publisher.root(2)]))


@pytest.mark.parametrize(
    ("signers", "name"),
    [
        (lambda publisher: [], "SignatureInvalid"),
        (lambda publisher: publisher.root_keys, "SignatureInvalid"),
        (lambda publisher: publisher.targets_keys[1:], "SignatureInvalid"),
    ],
)
def test_seal_without_the_right_signatures_is_refused(
    ready: Desk, signers: Callable[[Any], list[Any]], name: str
) -> None:
    targets = ready.publisher.targets(manifest_of(IMAGE), signers=signers(ready.publisher))
    assert_refused(ready, name, Chain([], targets, TARGET))


def test_seal_of_expired_metadata_is_refused(ready: Desk) -> None:
    targets = ready.publisher.targets(manifest_of(IMAGE), expires=NOW - timedelta(days=1))
    assert_refused(ready, "Expired", Chain([], targets, TARGET))


def test_seal_with_a_clock_set_back_uses_the_time_floor(ready: Desk) -> None:
    ready.now = datetime(1970, 1, 1, tzinfo=UTC)
    expired = BUILT_AT + timedelta(days=30)
    targets = ready.publisher.targets(
        manifest_of(IMAGE, boot_files=[boot_file("linux", LINUX)]), expires=expired
    )
    ready.control._notebook.write(Notes(time_floor=expired + timedelta(days=1)))
    assert_refused(ready, "Expired", Chain([], targets, TARGET))


def test_seal_raises_the_time_floor(ready: Desk) -> None:
    ready.control.seal("b", ready.chain())
    assert ready.control._notebook.read().time_floor == BUILT_AT


def test_seal_of_another_target_is_refused(ready: Desk) -> None:
    chain = ready.chain()
    assert_refused(ready, "TargetUnknown", Chain([], chain.targets, "edge/13.2/other"))
    assert_refused(ready, "InvalidArgument", Chain([], chain.targets, "x" * 2000))


def test_seal_without_a_root_of_trust_is_refused(ready: Desk) -> None:
    (ready.folder / "root.json").unlink()
    assert_refused(ready, "StorageFailed")


def test_seal_of_another_profile_is_refused(ready: Desk) -> None:
    assert_refused(ready, "WrongProfile", ready.chain(profile="desktop"))


@pytest.mark.parametrize(("floor", "sealed"), [("13.1", True), ("13.0", True), ("13.1.1", False)])
def test_seal_compares_with_the_version_floor(ready: Desk, floor: str, sealed: bool) -> None:
    ready.control._notebook.write(Notes(version_floor=floor))
    if sealed:
        ready.control.seal("b", ready.chain())
    else:
        assert_refused(ready, "BelowFloor")


def test_seal_of_an_image_larger_than_the_slot_is_refused(ready: Desk) -> None:
    assert_refused(ready, "SizeMismatch", ready.chain(image_size=SLOT_BYTES + 1))


@pytest.mark.parametrize("offset", [0, len(IMAGE) // 2, len(IMAGE) - 1])
def test_seal_of_a_flipped_bit_is_refused(ready: Desk, offset: int) -> None:
    fd = os.open(ready.access.path("b"), os.O_RDWR)
    os.pwrite(fd, bytes([IMAGE[offset] ^ 1]), offset)
    os.close(fd)
    assert_refused(ready, "ImageMismatch")


def test_seal_leaves_nothing_that_was_not_signed(ready: Desk) -> None:
    path = ready.access.path("b")
    fd = os.open(path, os.O_RDWR)
    for place in (len(IMAGE), len(IMAGE) + 5000, SLOT_BYTES - 8):
        os.pwrite(fd, b"unsigned", place)
    os.close(fd)
    ready.control.seal("b", ready.chain())
    assert path.read_bytes() == IMAGE + bytes(SLOT_BYTES - len(IMAGE))


def test_seal_that_is_refused_for_its_metadata_leaves_the_slot_alone(ready: Desk) -> None:
    before = ready.access.path("b").read_bytes()
    assert_refused(ready, "WrongProfile", ready.chain(profile="desktop", image_size=1))
    assert_refused(ready, "SizeMismatch", ready.chain(image_size=SLOT_BYTES + 1))
    assert ready.access.path("b").read_bytes() == before


def with_root_2(desk: Desk) -> tuple[bytes, list[CryptoSigner]]:
    """A root that revokes the targets keys, and the revoked ones."""
    revoked = desk.publisher.targets_keys
    desk.publisher.targets_keys = [CryptoSigner.generate_ed25519() for _ in range(2)]
    return desk.publisher.root(2), revoked


def test_seal_with_revoked_keys_is_refused_for_ever(ready: Desk) -> None:
    second, revoked = with_root_2(ready)
    ready.control.seal("b", ready.chain([second]))
    ready.control.disarm("b")
    ready.start_service()
    ready.write()
    ready.stage()
    targets = ready.publisher.targets(manifest_of(IMAGE), signers=revoked)
    assert_refused(ready, "SignatureInvalid", Chain([], targets, TARGET))
    ready.control.seal("b", ready.chain([second]))


@pytest.mark.parametrize(
    "changes", [{"profile": "desktop"}, {"version": "1"}, {"image_sha256": "0" * 64}]
)
def test_seal_remembers_the_root_of_an_image_that_it_refuses(
    ready: Desk, changes: dict[str, Any]
) -> None:
    second, revoked = with_root_2(ready)
    ready.control._notebook.write(Notes(version_floor="13"))
    ready.refusal(ready.control.seal, "b", ready.chain([second], **changes))
    targets = ready.publisher.targets(manifest_of(IMAGE), signers=revoked)
    assert_refused(ready, "SignatureInvalid", Chain([], targets, TARGET))


def test_seal_does_not_remember_a_root_whose_targets_are_unsigned(ready: Desk) -> None:
    second, revoked = with_root_2(ready)
    targets = ready.publisher.targets(manifest_of(IMAGE), signers=revoked)
    assert_refused(ready, "SignatureInvalid", Chain([second], targets, TARGET))
    assert ready.control._notebook.read().root is None


@pytest.mark.parametrize(
    "boot_files",
    [
        [],
        [boot_file("uki", LINUX)],
        [boot_file("linux", LINUX), boot_file("initrd", b"x")],
        [boot_file("linux", LINUX[:-1])],
        [boot_file("linux", LINUX[:-1] + b"x")],
    ],
)
def test_seal_with_other_boot_files_is_refused(
    ready: Desk, boot_files: list[dict[str, Any]]
) -> None:
    assert_refused(ready, "BootFileMismatch", ready.chain(boot_files=boot_files))


def test_seal_with_a_link_as_boot_file_is_refused(ready: Desk) -> None:
    path = ready.machine.backend().boot_folder("b") / "linux"
    path.rename(ready.folder / "elsewhere")
    path.symlink_to(ready.folder / "elsewhere")
    assert_refused(ready, "StorageFailed")


def test_seal_while_a_descriptor_is_held_is_busy(desk: Desk) -> None:
    desk.control.disarm("b")
    fd = desk.control.open_inactive("b")
    os.pwrite(fd, IMAGE, 0)
    assert desk.refusal(desk.control.seal, "b", desk.chain(boot_files=[])) == "Busy"
    os.close(fd)
    desk.control.seal("b", desk.chain(boot_files=[]))


@pytest.mark.parametrize("index", [b"", index_of(IMAGE)], ids=["one hash", "chunks"])
def test_seal_is_refused_when_a_writer_comes_meanwhile(
    ready: Desk, monkeypatch: pytest.MonkeyPatch, index: bytes
) -> None:
    chain = indexed(ready, index)
    really_read = os.preadv

    def read_with_a_writer(fd: int, buffers: list[memoryview], offset: int) -> int:
        with pytest.raises(BlockingIOError):
            os.open(ready.access.path("b"), os.O_WRONLY | os.O_NONBLOCK)
        return really_read(fd, buffers, offset)

    with monkeypatch.context() as reading:
        reading.setattr(os, "preadv", read_with_a_writer)
        assert ready.refusal(ready.control.seal, "b", chain) == "Busy"
    assert not ready.control.slots()[1].sealed
    ready.control.seal("b", chain)


def indexed(desk: Desk, signed_index: bytes, offered: bytes | None = None, **changes: Any) -> Chain:
    """What vouches for an image and for this index; the caller may offer another one."""
    fields = {"boot_files": [boot_file("linux", LINUX)], "index": INDEX} | changes
    targets = desk.publisher.targets(manifest_of(IMAGE, **fields), index=signed_index)
    return Chain([], targets, TARGET, signed_index if offered is None else offered)


def test_seal_by_chunks_needs_no_other_hash(ready: Desk) -> None:
    ready.control.seal("b", indexed(ready, index_of(IMAGE), image_sha256="0" * 64))
    assert ready.control.slots()[1].sealed
    assert ready.control.progress.done_bytes == len(IMAGE)


@pytest.mark.parametrize(
    ("index", "offered", "changes"),
    [
        (index_of(IMAGE), b"", {}),
        (index_of(bytes(1 << 20)), None, {"disk": {"size": 1 << 20, "root_offset": 0}}),
        (b"", index_of(bytes(100)), {"index": None}),
    ],
    ids=["none offered", "of a whole disk", "none signed"],
)
def test_seal_without_chunks_of_the_slot_is_by_its_one_hash(
    ready: Desk, index: bytes, offered: bytes | None, changes: dict[str, Any]
) -> None:
    other = indexed(ready, index, offered, **changes, image_sha256="0" * 64)
    assert_refused(ready, "ImageMismatch", other)
    ready.control.seal("b", indexed(ready, index, offered, **changes))
    assert ready.control.slots()[1].sealed


@pytest.mark.parametrize(
    "offered",
    [
        index_of(IMAGE[:-1] + b"x"),
        index_of(IMAGE) + b" ",
        index_of(IMAGE)[:-1],
        index_of(IMAGE).replace(b"a", b"b", 1),
        b"{}",
    ],
)
def test_seal_with_another_index_than_the_signed_one_is_refused(
    ready: Desk, offered: bytes
) -> None:
    assert_refused(ready, "HashMismatch", indexed(ready, index_of(IMAGE), offered))


def test_seal_with_an_index_that_is_not_listed_is_refused(ready: Desk) -> None:
    assert_refused(ready, "TargetUnknown", indexed(ready, b"", index_of(IMAGE)))


def test_seal_with_an_endless_index_is_refused(ready: Desk) -> None:
    endless = bytes(MAX_INDEX_BYTES + 1)
    assert_refused(ready, "InvalidArgument", indexed(ready, index_of(IMAGE), endless))


def lying(**changes: Any) -> bytes:
    """A signed index with one thing that is not so."""
    document = json.loads(index_of(IMAGE))
    for key, value in changes.items():
        if key == "row":
            number, place, entry = value
            document["chunks"][number][place] = entry
        else:
            document[key] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "index",
    [
        index_of(IMAGE[:-1]),
        index_of(IMAGE + b"x"),
        lying(image_size=len(IMAGE) - 1),
        lying(row=(0, 0, (64 << 10) + 1)),
        lying(row=(1, 1, (64 << 10) - 1)),
        lying(row=(1, 1, 1 << 30)),
        lying(row=(2, 3, "AB" * 32)),
        lying(chunks=[]),
        lying(schema=2),
        b"[" * 100_000,
    ],
    ids=[
        "shorter image",
        "longer image",
        "another size",
        "longer chunk",
        "overlap",
        "outside the file",
        "no hash",
        "no chunks",
        "schema",
        "no JSON",
    ],
)
def test_seal_with_a_signed_index_that_lies_is_refused(ready: Desk, index: bytes) -> None:
    before = ready.access.path("b").read_bytes()
    chain = indexed(ready, index)
    assert ready.refusal(ready.control.seal, "b", chain) == "TargetUnknown"
    assert ready.access.path("b").read_bytes() == before
    assert not ready.control.slots()[1].sealed


@pytest.mark.parametrize("offset", [0, len(IMAGE) // 2, len(IMAGE) - 1])
def test_seal_by_chunks_names_the_one_with_a_flipped_bit(ready: Desk, offset: int) -> None:
    fd = os.open(ready.access.path("b"), os.O_RDWR)
    os.pwrite(fd, bytes([IMAGE[offset] ^ 1]), offset)
    os.close(fd)
    chain = indexed(ready, index_of(IMAGE))
    assert_refused(ready, "ImageMismatch", chain)
    with pytest.raises(BootloaderError, match=f"chunk {offset // (64 << 10)}, at "):
        ready.control.seal("b", chain)
