# SPDX-License-Identifier: Apache-2.0
"""What a repository's readers take is what the publisher signs."""

from __future__ import annotations

import json

import pytest

from bootloader.chain import MAX_VALUES as BOOT_CONTROL_TAKES
from orchestrator_stub.release.repository import MAX_BYTES, MAX_VALUES, why_unread
from orchestrator_stub.release.roles import Role

TARGET = {
    "custom": {"boot_files": [{"extents": [[0, 4096]] * 1024, "kind": "uki", "size": 1 << 22}]},
    "hashes": {"sha256": "ab" * 32},
    "length": 1 << 30,
}


@pytest.mark.parametrize("role", list(Role))
def test_metadata_are_read_up_to_a_size(role: Role) -> None:
    assert why_unread(role, b" " * MAX_BYTES[role]) == ""
    assert "bytes, and readers take" in why_unread(role, b" " * (MAX_BYTES[role] + 1))


def test_targets_are_read_up_to_so_many_values() -> None:
    assert why_unread(Role.TARGETS, b"," * MAX_VALUES) == ""
    assert "boot control takes" in why_unread(Role.TARGETS, b"," * (MAX_VALUES + 1))
    assert why_unread(Role.SNAPSHOT, b"," * (MAX_VALUES + 1)) == ""
    assert MAX_VALUES < BOOT_CONTROL_TAKES


def test_disks_in_a_thousand_pieces_fit_ninety_times() -> None:
    some = {f"edge/{number}/disk.raw": TARGET for number in range(90)}
    data = json.dumps({"signed": {"targets": some}}, separators=(",", ":")).encode()
    assert why_unread(Role.TARGETS, data) == ""
