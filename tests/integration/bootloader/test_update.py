# SPDX-License-Identifier: Apache-2.0
"""The way of an update through boot control, on a real bus with the real service."""

from __future__ import annotations

import os

import pytest

from tests.integration.bootloader.conftest import (
    HOST_UUID,
    LINUX,
    SLOT_BYTES,
    Client,
    Node,
    wait_until,
)
from tests.unit.bootloader.signing import boot_file

pytestmark = pytest.mark.dbus
IMAGE = os.urandom(1 << 20)


def test_properties_of_a_fresh_node(client: Client) -> None:
    assert client.get("InterfaceVersion") == 2
    assert client.get("Backend") == "simulated"
    assert client.get("BootedSlot") == "a"
    assert client.get("PrimarySlot") == "a"
    assert client.get("FallbackSlot") == ""
    assert client.get("HostUuid") == HOST_UUID
    assert client.slot("a") == {
        "name": "a",
        "state": "booted",
        "assessment": "good",
        "size": SLOT_BYTES,
        "image-id": "13.0",
        "profile": "edge",
        "sealed": False,
    }
    assert client.slot("b")["state"] == "inactive"


def test_update_from_disarm_to_arm(node: Node, client: Client) -> None:
    client.call("Disarm", "(s)", "b")
    client.write(IMAGE)
    client.stage()
    node.seal(client, IMAGE, boot_files=[boot_file("linux", LINUX)])
    assert client.slot("b")["sealed"]
    assert (client.slot("b")["image-id"], client.slot("b")["profile"]) == ("13.1", "edge")
    assert client.get("PrimarySlot") == "a"
    client.call("Arm", "(su)", "b", 3)
    assert client.get("PrimarySlot") == "b"
    assert client.get("FallbackSlot") == "a"
    assert client.slot("b")["tries-left"] == 3
    assert client.slot("b")["tries-done"] == 0
    client.call("RequestReboot", "(s)", "update to 13.1")
    assert (node.folder / "run" / "reboot").read_text() == "update to 13.1\n"
    wait_until(lambda: client.get("PrimarySlot") == "a", "the overdue reboot disarms slot b")
