# SPDX-License-Identifier: Apache-2.0
"""Refusals of the real service: their names on the bus, and that nothing changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gi.repository import Gio, GLib

from bootloader.one_line import MAX_LINE
from bootloader.simulation.machine import load_machine
from tests.integration.bootloader.conftest import (
    ALLOWED_USER,
    BUS_NAME,
    HEALTH_USER,
    LINUX,
    OBJECT,
    PROPERTIES,
    REPOSITORY,
    SEAL,
    Client,
    Node,
    connection,
    error_name,
    private_bus,
    serving,
    wait_until,
)
from tests.unit.bootloader.signing import TARGET, boot_file

pytestmark = pytest.mark.dbus
IMAGE = os.urandom(100_000)
NOBODY = 65534
INTROSPECT = "org.freedesktop.DBus.Introspectable.Introspect"


@pytest.fixture
def written(client: Client) -> Client:
    client.call("Disarm", "(s)", "b")
    client.write(IMAGE)
    client.stage()
    return client


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    options = f"size={size}"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/umount", folder], check=True)


def stage_refusal(client: Client, **changes: Any) -> str:
    with pytest.raises(GLib.Error) as caught:
        client.stage(**changes)
    return error_name(caught.value)


def test_refusals_by_slot(client: Client) -> None:
    assert client.refusal("Disarm", "(s)", "c") == "UnknownSlot"
    assert client.refusal("Disarm", "(s)", "a") == "SlotBooted"
    assert client.refusal("OpenInactive", "(s)", "a") == "SlotBooted"
    assert client.refusal("Arm", "(su)", "a", 3) == "SlotBooted"
    assert client.refusal("MarkGood", "(s)", "b") == "NotBooted"
    assert client.refusal("MarkBad", "(s)", "a") == "BootNotComplete"
    assert client.refusal("Arm", "(su)", "b", 0) == "InvalidTries"
    assert client.refusal("Arm", "(su)", "b", 3) == "NotSealed"
    assert client.refusal("SetRootId", "(ss)", "b", "x") == "InvalidArgument"
    assert client.get("PrimarySlot") == "a"


def test_refusals_while_the_booted_slot_is_not_good(node: Node, client: Client) -> None:
    (node.folder / "run/boot-complete").touch()
    assert client.refusal("MarkBad", "(s)", "a") == "NoFallback"
    load_machine(node.folder / "machine.toml").boot_loader().mark_bad("a")
    wait_until(lambda: client.slot("a")["assessment"] == "bad", "the mark is seen")
    assert client.refusal("Disarm", "(s)", "b") == "ActiveNotGood"
    assert client.refusal("OpenInactive", "(s)", "b") == "ActiveNotGood"
    client.call("MarkGood", "(s)", "a")
    client.call("Disarm", "(s)", "b")


def test_refusals_of_stage(written: Client) -> None:
    assert stage_refusal(written, kind="grub") == "InvalidArgument"
    assert stage_refusal(written, size=1) == "SizeMismatch"
    signature, values = "(sshts)", ("b", "uki", 0, 1, "0" * 64)
    assert written.refusal("Stage", signature, *values) == "InvalidArgument"
    assert written.refusal("OpenInactive", "(s)", "b") == "NotDisarmed"
    # this one is seen only when the file lies there: nothing of it, nor of the one before, stays
    assert stage_refusal(written, sha256="0" * 64) == "HashMismatch"
    os.close(written.open_inactive())


def test_stage_on_a_full_disk(node: Node, client: Client) -> None:
    folder = node.disk / "firmware.d"
    with small_disk(folder, "64k"):
        client.call("Disarm", "(s)", "b")
        kernel = bytes(40_000)
        assert stage_refusal(client, data=kernel) == "NoSpace"  # it must fit for both slots
        (folder / "a").mkdir()
        (folder / "a/linux").write_bytes(b"kernel")
        client.stage(kernel)
        assert stage_refusal(client, data=kernel, kind="initrd") == "NoSpace"
        assert [path.name for path in (folder / "b").iterdir()] == ["linux"]


def test_seal_on_a_full_state_disk_lets_the_slot_go(node: Node, written: Client) -> None:
    with small_disk(node.folder / "state", "4k"):
        (node.folder / "state/filler").write_bytes(bytes(4096))
        with pytest.raises(GLib.Error) as caught:
            node.seal(written, IMAGE, boot_files=[boot_file("linux", LINUX)])
        assert error_name(caught.value) == "NoSpace"
        assert not written.slot("b")["sealed"]
    node.seal(written, IMAGE, boot_files=[boot_file("linux", LINUX)])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"profile": "desktop"}, "WrongProfile"),
        ({"boot_files": []}, "BootFileMismatch"),
        ({"image_sha256": "0" * 64}, "ImageMismatch"),
        ({"image_size": 1 << 30}, "SizeMismatch"),
        ({"schema": 9}, "TargetUnknown"),
    ],
)
def test_refusals_of_seal(node: Node, written: Client, changes: dict[str, Any], name: str) -> None:
    given = {"boot_files": [boot_file("linux", LINUX)]} | changes
    targets = node.signed_targets(IMAGE, **given)
    assert written.refusal("Seal", SEAL, "b", [], targets, TARGET, b"") == name
    assert not written.slot("b")["sealed"]
    assert written.refusal("Arm", "(su)", "b", 3) == "NotSealed"


def test_seal_of_forged_metadata(node: Node, written: Client) -> None:
    node.publisher.targets_keys = node.publisher.root_keys
    targets = node.signed_targets(IMAGE)
    assert written.refusal("Seal", SEAL, "b", [], targets, TARGET, b"") == "SignatureInvalid"
    endless = " " * (28 << 20)  # as much as the bus lets through, nearly
    assert written.refusal("Seal", SEAL, "b", [], targets, endless, b"") == "InvalidArgument"
    garbage = [b"{}", b"\xff"]
    assert written.refusal("Seal", SEAL, "b", garbage, b"", "", b"") == "SignatureInvalid"


def test_seal_of_a_caller_from_before_the_index(node: Node, written: Client) -> None:
    targets = node.signed_targets(IMAGE)
    assert written.refusal("Seal", "(saayays)", "b", [], targets, TARGET) == "InvalidArgs"
    assert not written.slot("b")["sealed"]


def test_seal_while_a_descriptor_is_held(node: Node, client: Client) -> None:
    client.call("Disarm", "(s)", "b")
    fd = client.open_inactive()
    os.pwrite(fd, IMAGE, 0)
    targets = node.signed_targets(IMAGE)
    assert client.refusal("Seal", SEAL, "b", [], targets, TARGET, b"") == "Busy"
    os.close(fd)
    client.call("Seal", SEAL, "b", [], targets, TARGET, b"")


def test_properties_are_read_only(client: Client) -> None:
    value = GLib.Variant("(ssv)", (BUS_NAME, "BootedSlot", GLib.Variant("s", "b")))
    with pytest.raises(GLib.Error):
        client.bus.call_sync(
            BUS_NAME, OBJECT, PROPERTIES, "Set", value, None, Gio.DBusCallFlags.NONE, -1, None
        )
    assert client.get("BootedSlot") == "a"


def send(node: Node, uid: int, method: str, *arguments: str) -> str:
    """What dbus-send says when another user runs it."""
    command = ["/usr/bin/dbus-send", f"--bus={node.address}", "--print-reply"]
    done = subprocess.run(
        [*command, f"--dest={BUS_NAME}", OBJECT, method, *arguments],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


_PASS = """\
import sys
from gi.repository import Gio, GLib
address, name, path, method, count = sys.argv[1:]
flags = Gio.DBusConnectionFlags
bus = Gio.DBusConnection.new_for_address_sync(
    address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None
)
passed = Gio.UnixFDList.new()
for _ in range(int(count)):
    passed.append(0)
interface, _, member = method.rpartition(".")
bus.call_with_unix_fd_list_sync(
    name, path, interface, member, GLib.Variant("()", ()), None, 0, 60_000, passed, None
)
"""


def pass_descriptors(node: Node, uid: int, method: str, count: int) -> str:
    """What a user is told who calls a method with so many descriptors and nothing else."""
    program = ["/usr/bin/python3", "-c", _PASS, node.address, BUS_NAME, OBJECT, method, str(count)]
    done = subprocess.run(
        program,
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr


def uid_of(name: str) -> int:
    done = subprocess.run(["/usr/bin/id", "-u", name], check=True, capture_output=True, text=True)
    return int(done.stdout)


def fail_boot(node: Node) -> None:
    """Slot a, which is booted, has lost its entry; slot b is good."""
    node.firmware("--slot", "b")


CHANGING = [
    ("Disarm", "string:b"),
    ("OpenInactive", "string:b"),
    ("OpenActive",),
    ("SetRootId", "string:b", "string:x"),
    ("Arm", "string:b", "uint32:3"),
    ("MarkGood", "string:a"),
    ("MarkBad", "string:a"),
    ("RequestReboot", "string:why"),
]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("call", CHANGING, ids=lambda call: call[0])
def test_service_refuses_another_user_by_itself(node: Node, call: tuple[str, ...]) -> None:
    method, *arguments = call
    said = send(node, NOBODY, f"{BUS_NAME}.{method}", *arguments)
    assert f"{BUS_NAME}.Error.NotAllowed" in said
    assert str(NOBODY) in said


@pytest.mark.usefixtures("service")
def test_service_serves_its_user_and_tells_everybody_its_properties(node: Node) -> None:
    assert "method return" in send(node, uid_of(ALLOWED_USER), f"{BUS_NAME}.Disarm", "string:b")
    name = (f"string:{BUS_NAME}", "string:BootedSlot")
    assert 'string "a"' in send(node, NOBODY, f"{PROPERTIES}.Get", *name)


@pytest.mark.parametrize("call", CHANGING, ids=lambda call: call[0])
def test_service_lets_the_health_user_ask_for_a_reboot_only(
    node: Node, call: tuple[str, ...]
) -> None:
    method, *arguments = call
    fail_boot(node)
    with serving(node):
        said = send(node, uid_of(HEALTH_USER), f"{BUS_NAME}.{method}", *arguments)
    if method == "RequestReboot":
        assert "method return" in said
    else:
        assert f"{BUS_NAME}.Error.NotAllowed" in said


def test_long_verdict_of_the_health_user_still_reboots(node: Node) -> None:
    fail_boot(node)
    with serving(node):
        reason = f"string:puad-health: {'required/10-net: it ended with 1; ' * 15}"
        assert "method return" in send(
            node, uid_of(HEALTH_USER), f"{BUS_NAME}.RequestReboot", reason
        )
    assert len((node.folder / "run/reboot").read_text()) == MAX_LINE + 1


@pytest.mark.usefixtures("service")
def test_service_never_reboots_a_good_slot_for_anybody_but_root(node: Node) -> None:
    reboot = (f"{BUS_NAME}.RequestReboot", "string:why")
    said = send(node, uid_of(HEALTH_USER), *reboot)
    assert f"{BUS_NAME}.Error.NotAllowed" in said
    assert "slot a is good" in said
    said = send(node, uid_of(ALLOWED_USER), *reboot)
    assert f"{BUS_NAME}.Error.RebootNotNeeded" in said
    assert "method return" in send(node, 0, *reboot)


def test_user_that_does_not_exist_allows_nobody(node: Node) -> None:
    config = node.folder / "service.toml"
    config.write_text(config.read_text().replace(f'"{ALLOWED_USER}"', '"no-such-user"'))
    with serving(node):
        said = send(node, NOBODY, f"{BUS_NAME}.Disarm", "string:b")
    assert f"{BUS_NAME}.Error.NotAllowed" in said


def test_policy_file_lets_the_user_call_health_look_and_others_do_nothing(node: Node) -> None:
    shipped = (REPOSITORY / "systemd/org.puad.Bootloader1.conf").read_text()
    folder = node.folder / "closed"
    folder.mkdir(mode=0o755)
    policy = folder / "policy.conf"
    policy.write_text(
        shipped.replace('user="puad"', f'user="{ALLOWED_USER}"').replace(
            'user="puad-health"', f'user="{HEALTH_USER}"'
        )
    )
    with private_bus(folder, policy) as address:
        node.address = address
        with serving(node), connection(address) as bus:
            denied = "org.freedesktop.DBus.Error.AccessDenied"
            name = (f"string:{BUS_NAME}", "string:BootedSlot")
            health, allowed = uid_of(HEALTH_USER), uid_of(ALLOWED_USER)
            for user in (health, allowed):
                assert 'string "a"' in send(node, user, f"{PROPERTIES}.Get", *name)
                assert "<interface name=" in send(node, user, INTROSPECT)
            assert denied in send(node, NOBODY, f"{PROPERTIES}.Get", *name)
            assert denied in send(node, NOBODY, f"{PROPERTIES}.GetAll", f"string:{BUS_NAME}")
            assert denied in send(node, NOBODY, INTROSPECT)
            assert denied in send(node, NOBODY, f"{BUS_NAME}.Disarm", "string:b")
            assert denied in send(node, NOBODY, f"{PROPERTIES}.Set", *name, "variant:string:b")
            assert "method return" in send(node, allowed, f"{BUS_NAME}.Disarm", "string:b")
            Client(bus).call("Disarm", "(s)", "b")
            assert denied in send(node, health, f"{BUS_NAME}.Disarm", "string:b")
            why = "string:the verdict is bad"
            for user, method, count, stopped in (
                (health, f"{PROPERTIES}.Get", 0, False),
                (health, f"{PROPERTIES}.Get", 1, True),
                (allowed, f"{PROPERTIES}.Get", 1, True),
                (allowed, f"{BUS_NAME}.Stage", 1, False),
                (allowed, f"{BUS_NAME}.Stage", 2, True),
            ):
                assert (denied in pass_descriptors(node, user, method, count)) is stopped
            # the bus lets it through, and the service looks at the boot
            refused = send(node, health, f"{BUS_NAME}.RequestReboot", why)
            assert f"{BUS_NAME}.Error.NotAllowed" in refused
