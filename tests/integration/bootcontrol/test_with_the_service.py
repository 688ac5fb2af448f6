# SPDX-License-Identifier: Apache-2.0
"""The proxy against the real boot-control service: both ends of one contract."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable

import pytest

from puad.bootcontrol import BootControl
from puad.core.errors import BootControlError, Code
from puad.core.model import Assessment, SlotState
from tests.integration.bootloader.conftest import HOST_UUID, LINUX, SLOT_BYTES, Node
from tests.integration.cli.puadctl import command, environment
from tests.unit.bootloader.signing import INDEX, TARGET, boot_file, index_of

pytestmark = pytest.mark.dbus

IMAGE = os.urandom(1 << 20)


def write(control: BootControl, image: bytes = IMAGE) -> None:
    control.disarm("b")
    descriptor = control.open_inactive("b")
    os.pwrite(descriptor, image, 0)
    os.close(descriptor)


def stage(control: BootControl, node: Node, kind: str = "linux", content: bytes = LINUX) -> None:
    file = node.folder / kind
    file.write_bytes(content)
    with file.open("rb") as opened:
        sha256 = hashlib.sha256(content).hexdigest()
        control.stage("b", kind, opened.fileno(), len(content), sha256)


def refused(call: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(BootControlError) as caught:
        call()
    return caught.value.code, caught.value.on


def test_service_describes_itself(real_control: BootControl) -> None:
    booted, inactive = real_control.slots()
    assert (booted.name, booted.state, booted.assessment) == (
        "a",
        SlotState.BOOTED,
        Assessment.GOOD,
    )
    assert (inactive.name, inactive.state, inactive.sealed) == ("b", SlotState.INACTIVE, False)
    assert booted.size_bytes == SLOT_BYTES
    assert real_control.booted_slot() == real_control.primary_slot() == "a"
    assert real_control.host_uuid() == HOST_UUID
    assert real_control.backend() == "simulated"


def test_image_is_written_sealed_and_armed(real_control: BootControl, node: Node) -> None:
    write(real_control)
    stage(real_control, node)
    real_control.seal(
        "b", [], node.signed_targets(IMAGE, boot_files=[boot_file("linux", LINUX)]), TARGET
    )
    real_control.arm("b", 3)
    slot = real_control.slots()[1]
    assert (slot.sealed, slot.tries_left) == (True, 3)
    assert real_control.primary_slot() == "b"
    assert real_control.fallback_slot() == "a"


def test_image_is_sealed_by_its_chunks(real_control: BootControl, node: Node) -> None:
    index = index_of(IMAGE)
    targets = node.signed_targets(IMAGE, signed_index=index, image_sha256="0" * 64, index=INDEX)
    write(real_control)
    assert refused(lambda: real_control.seal("b", [], targets, TARGET)) == (
        Code.SEAL_REFUSED,
        "ImageMismatch",
    )
    assert refused(lambda: real_control.seal("b", [], targets, TARGET, index + b" ")) == (
        Code.SEAL_REFUSED,
        "HashMismatch",
    )
    real_control.seal("b", [], targets, TARGET, index)
    assert real_control.slots()[1].sealed
    assert real_control._property("SealProgress") == len(IMAGE)


def test_open_active_reads_the_booted_slot(real_control: BootControl, node: Node) -> None:
    descriptor = real_control.open_active()
    head = os.pread(descriptor, 4096, 0)
    os.close(descriptor)
    with (node.disk / "a.img").open("rb") as image:
        assert head == image.read(4096)


def test_refusals_of_the_service_have_their_codes(real_control: BootControl, node: Node) -> None:
    control, targets = (
        real_control,
        node.signed_targets(IMAGE, boot_files=[boot_file("linux", LINUX)]),
    )
    assert refused(lambda: control.disarm("a")) == (Code.BOOT_CONTROL_REFUSED, "SlotBooted")
    assert refused(lambda: control.disarm("c")) == (Code.BOOT_CONTROL_REFUSED, "UnknownSlot")
    assert refused(lambda: control.arm("b", 3)) == (Code.BOOT_CONTROL_BUSY, "NotSealed")
    write(control, b"other bytes")
    stage(control, node)
    assert refused(lambda: control.seal("b", [], targets, TARGET)) == (
        Code.SEAL_REFUSED,
        "ImageMismatch",
    )
    assert refused(lambda: control.seal("b", [], b"{}", TARGET)) == (
        Code.SEAL_REFUSED,
        "SignatureInvalid",
    )
    assert refused(lambda: control.mark_good("b"))[0] is Code.BOOT_CONTROL_REFUSED


def test_puadctl_shows_the_slots_of_the_service(real_control: BootControl) -> None:
    done = subprocess.run(
        command("slots", "--json"), env=environment(), capture_output=True, check=True
    )
    document = json.loads(done.stdout)
    assert [slot["name"] for slot in document["slots"]] == ["a", "b"]
    assert document["booted_slot"] == real_control.booted_slot()
