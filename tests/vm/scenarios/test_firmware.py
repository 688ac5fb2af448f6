# SPDX-License-Identifier: Apache-2.0
"""What firmware and boot loader may be in: a pinned default, a UKI, counters at zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.demo.waiting import wait_for
from tests.vm.harness.node import BOOT_S, Node

Staged = Callable[..., Node]
_PINNED = "LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


@pytest.mark.loaders("systemd-boot")
def test_pinned_default_holds_the_update_and_is_named(staged: Staged) -> None:
    node = staged()
    node.guest_output("bootctl", "set-default", "puad-a.conf")
    node.open_window()
    wait_for("the reason", lambda: "pinned" in node.puadctl("status").text.lower(), BOOT_S)
    assert node.booted_slot() == "a"
    node.guest_output("bootctl", "set-default", "")
    node.puadctl("retry")
    node.wait_updated("b")


@pytest.mark.loaders("systemd-boot")
def test_counters_at_zero_on_both_slots_still_boot_the_old_one(idle: Node) -> None:
    entries = "/efi/loader/entries"
    idle.guest_output("sh", "-c", f"mv {entries}/puad-a*.conf {entries}/puad-a+0-3.conf")
    copy = f"sed 's/^sort-key.*/&/' {entries}/puad-a+0-3.conf >{entries}/puad-b+0-3.conf; sync"
    idle.guest_output("sh", "-c", copy)
    idle.machine.cut_power()
    idle.power_on()
    idle.wait_slot("a")
    assert idle.os_release()["IMAGE_VERSION"] == "1.0"
