# SPDX-License-Identifier: Apache-2.0
"""What firmware and boot loader may be in: a pinned default, a UKI, counters at zero."""

from __future__ import annotations

import pytest

from tests.demo.waiting import wait_for
from tests.vm.harness.bench import SECOND, Bench, Kind, Staged
from tests.vm.harness.node import BOOT_S, Node
from tests.vm.image.uki import make_uki

_DEFAULT = "LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_ROOT_ID = "0e5f6b0a-93f6-4b8e-8f6c-6a4be1a4c0de"
# As upstream's image has it: the command line is inside, and knows one root only.
_COMMAND_LINE = (
    f"root=PARTUUID={_ROOT_ID} ro rootfstype=erofs panic=10 gpt"
    " systemd.machine_id=firmware systemd.gpt_auto=no"
    " systemd.mount-extra=PARTLABEL=persist:/persist:ext4"
    " systemd.mount-extra=PARTLABEL=esp:/efi:vfat:umask=0077,nofail console=ttyS0 mitigations=off"
)


def set_default(node: Node, entry: str) -> None:
    """What `bootctl set-default` does; its package is not on the node."""
    node.set_variable(_DEFAULT, f"{entry}\0".encode("utf-16-le") if entry else b"")


@pytest.mark.loaders("systemd-boot")
def test_pinned_default_holds_the_update_and_is_named(staged: Staged) -> None:
    node = staged()
    set_default(node, "puad-a.conf")
    node.open_window()
    wait_for("the reason", lambda: "pinned" in node.puadctl("status").text.lower(), BOOT_S, 5)
    assert node.booted_slot() == "a"
    set_default(node, "")
    node.puadctl("retry")
    wait_for("the reboot, now that nothing is pinned", lambda: node.machine.resets, BOOT_S, 2)


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


@pytest.mark.loaders("systemd-boot")
def test_uki_with_a_built_in_root_gets_the_partition_id_that_it_expects(
    idle: Node, bench: Bench, kind: Kind
) -> None:
    image = bench.image(kind, SECOND)
    uki = make_uki(image, _COMMAND_LINE)
    idle.release.add(SECOND, image.root, uki, root_partuuid=_ROOT_ID)
    idle.release.publish()
    idle.server.find_releases()
    idle.open_window()
    idle.wait_updated("b")
    assert idle.running() == "slot b: edge 2.0"
    root = idle.guest_output("findmnt", "--noheadings", "--output", "PARTUUID", "/")
    assert root.strip() == _ROOT_ID
    assert _ROOT_ID in idle.guest_output("cat", "/proc/cmdline")
