# SPDX-License-Identifier: Apache-2.0
"""The service as a process: its start and end, what it tells, and that it stays responsive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gi.repository import Gio, GLib

from tests.integration.bootloader.conftest import (
    BUS_NAME,
    OBJECT,
    PROPERTIES,
    SEAL,
    Client,
    Node,
    connection,
    serving,
    wait_until,
)
from tests.unit.bootloader.signing import TARGET

pytestmark = pytest.mark.dbus
IMAGE = os.urandom(100_000)


def write_and_seal(node: Node, client: Client) -> None:
    client.call("Disarm", "(s)", "b")
    client.write(IMAGE)
    node.seal(client, IMAGE)


def watch(client: Client) -> Callable[[], list[dict[str, Any]]]:
    """Collect PropertiesChanged."""
    seen: list[dict[str, Any]] = []

    def collect(*signal_arguments: Any) -> None:
        interface, changed, gone = signal_arguments[5].unpack()
        assert (interface, gone) == (BUS_NAME, [])
        seen.append(changed)

    flags = Gio.DBusSignalFlags.NONE
    client.bus.signal_subscribe(
        BUS_NAME, PROPERTIES, "PropertiesChanged", OBJECT, None, flags, collect
    )

    def changes() -> list[dict[str, Any]]:
        while GLib.MainContext.default().iteration(False):
            pass
        return seen

    return changes


def test_properties_changed_tells_what_is_new(node: Node, client: Client) -> None:
    changes = watch(client)
    write_and_seal(node, client)
    client.call("Arm", "(su)", "b", 3)
    wait_until(lambda: any("PrimarySlot" in change for change in changes()), "b is primary")
    told = {name: value for change in changes() for name, value in change.items()}
    assert told["PrimarySlot"] == "b"
    assert told["FallbackSlot"] == "a"
    assert "BootedSlot" not in told
    row = next(slot for slot in told["Slots"] if slot["name"] == "b")
    assert (row["sealed"], row["tries-left"], row["image-id"]) == (True, 3, "13.1")


def test_seal_leaves_the_service_responsive_and_others_busy(node: Node) -> None:
    root = node.folder / "root.json"
    metadata = root.read_bytes()
    root.unlink()
    os.mkfifo(root)  # the worker waits here for as long as this test wants
    targets = node.signed_targets(IMAGE)
    with serving(node), connection(node.address) as bus, connection(node.address) as other:
        client = Client(bus)
        client.call("Disarm", "(s)", "b")
        client.write(IMAGE)
        arguments: tuple[Any, ...] = (SEAL, "b", [], targets, TARGET, b"")
        sealing = threading.Thread(target=Client(other).call, args=("Seal", *arguments))
        sealing.start()
        fd = os.open(root, os.O_WRONLY)  # returns once the worker reads
        try:
            assert client.get("BootedSlot") == "a"
            assert not client.slot("b")["sealed"]
            assert client.get("SealProgress") == 0
            assert client.refusal("Disarm", "(s)", "b") == "Busy"
            assert client.refusal("Seal", *arguments) == "Busy"
            assert sealing.is_alive()
            os.write(fd, metadata)
        finally:
            os.close(fd)
        sealing.join(60)
        assert client.slot("b")["sealed"]
        assert client.get("SealProgress") == len(IMAGE)


def test_seal_is_gone_after_a_crash_and_the_slot_stays_unarmed(node: Node) -> None:
    with serving(node) as service, connection(node.address) as bus:
        write_and_seal(node, Client(bus))
        service.kill()
        service.wait()
    with serving(node), connection(node.address) as bus:
        client = Client(bus)
        assert client.slot("b")["image-id"] == "13.1"
        assert not client.slot("b")["sealed"]
        assert client.refusal("Arm", "(su)", "b", 3) == "NotSealed"
        node.seal(client, IMAGE)
        client.call("Arm", "(su)", "b", 3)


def test_writer_of_a_sealed_slot_breaks_the_seal_and_is_told(node: Node, client: Client) -> None:
    changes = watch(client)
    write_and_seal(node, client)

    def told() -> list[bool]:
        rows = [row for change in changes() for row in change.get("Slots", [])]
        return [row["sealed"] for row in rows if row["name"] == "b"]

    # the answer comes before the signal, which tells the state as it is by then
    wait_until(lambda: told() == [True], "the seal is told")
    os.close(os.open(node.disk / "b.img", os.O_WRONLY))  # waits until the lease is given up
    wait_until(lambda: told() == [True, False], "the broken seal is told")
    assert client.refusal("Arm", "(su)", "b", 3) == "NotSealed"


def test_reader_of_a_sealed_slot_breaks_nothing(node: Node, client: Client) -> None:
    write_and_seal(node, client)
    assert (node.disk / "b.img").read_bytes()[: len(IMAGE)] == IMAGE
    client.call("Arm", "(su)", "b", 3)


def test_floor_holds_after_a_restart(node: Node, client: Client) -> None:
    (node.folder / "run/boot-complete").touch()
    write_and_seal(node, client)
    notes = (node.folder / "state/notes.json").read_text()
    (node.folder / "state/notes.json").write_text(
        notes.replace('"version_floor": null', '"version_floor": "13.2"')
    )
    targets = node.signed_targets(IMAGE)
    assert client.refusal("Seal", SEAL, "b", [], targets, TARGET, b"") == "BelowFloor"


def test_set_root_id_of_a_file_slot(client: Client) -> None:
    assert client.get("HostUuid")
    one, two = (f"{n}1111111-2222-3333-4444-555555555555" for n in (1, 2))
    client.call("SetRootId", "(ss)", "b", one)
    client.call("SetRootId", "(ss)", "b", two)
    assert client.refusal("SetRootId", "(ss)", "a", one) == "SlotBooted"


def test_open_active_gives_the_booted_slot(node: Node, client: Client) -> None:
    value, descriptors = client.call("OpenActive")
    assert descriptors is not None
    fd = descriptors.get(value.unpack()[0])
    with os.fdopen(fd, "rb") as file, (node.disk / "a.img").open("rb") as expected:
        assert file.read(4096) == expected.read(4096)
        assert os.fstat(fd).st_ino == (node.disk / "a.img").stat().st_ino


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_ends_cleanly(node: Node, number: signal.Signals) -> None:
    with serving(node) as service:
        service.send_signal(number)
        assert service.wait(60) == 0


def run_service(node: Node) -> int:
    config = node.folder / "service.toml"
    argv: list[str | Path] = [sys.executable, "-m", "bootloader", "--config", config]
    done = subprocess.run(argv, env=node.environment, timeout=60, check=False)
    return done.returncode


@pytest.mark.usefixtures("service")
def test_second_service_gives_way(node: Node, client: Client) -> None:
    assert run_service(node) == os.EX_UNAVAILABLE
    assert client.get("BootedSlot") == "a"


def test_service_without_a_bus_says_unavailable(node: Node) -> None:
    node.address = "unix:path=/nonexistent"
    assert run_service(node) == os.EX_UNAVAILABLE


def test_service_with_a_wrong_config_says_so(node: Node) -> None:
    (node.folder / "service.toml").write_text('backend = "simulatd"')
    assert run_service(node) == os.EX_CONFIG


def test_service_on_a_machine_without_uuid_and_user_still_serves_root(node: Node) -> None:
    (node.folder / "host-uuid").unlink()
    config = node.folder / "service.toml"
    config.write_text(config.read_text().replace('user = "daemon"', 'user = "no-such-user"'))
    with serving(node), connection(node.address) as bus:
        assert Client(bus).get("HostUuid") == ""
        Client(bus).call("Disarm", "(s)", "b")


def test_service_with_an_unmounted_root_refuses_everything(node: Node) -> None:
    config = node.folder / "service.toml"
    config.write_text(config.read_text().replace(f'{node.folder}/root"', f'{node.folder}/run"'))
    with serving(node), connection(node.address) as bus:
        client = Client(bus)
        assert client.get("BootedSlot") == ""
        assert client.get("Slots") == []
        assert client.refusal("Disarm", "(s)", "b") == "Disagreement"


def test_service_with_another_word_of_the_boot_loader_refuses_everything(node: Node) -> None:
    (node.folder / "run/selected").write_text('{"slot": "b"}')
    with serving(node), connection(node.address) as bus:
        assert Client(bus).refusal("Disarm", "(s)", "b") == "Disagreement"


def test_service_with_a_slot_that_others_may_write_refuses_everything(node: Node) -> None:
    (node.disk / "b.img").chmod(0o666)
    with serving(node), connection(node.address) as bus:
        assert Client(bus).refusal("Disarm", "(s)", "b") == "StorageFailed"


def test_service_ends_when_the_bus_does(node: Node) -> None:
    with serving(node) as service:
        with connection(node.address) as bus:
            asked = GLib.Variant("(s)", ("org.freedesktop.DBus",))
            owner = "org.freedesktop.DBus"
            pid = bus.call_sync(
                owner,
                "/",
                owner,
                "GetConnectionUnixProcessID",
                asked,
                None,
                Gio.DBusCallFlags.NONE,
                -1,
                None,
            ).unpack()[0]
        os.kill(pid, signal.SIGKILL)
        assert service.wait(60) == os.EX_UNAVAILABLE
