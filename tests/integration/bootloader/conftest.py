# SPDX-License-Identifier: Apache-2.0
"""A node with the real boot-control service: a private bus, slot files, a mounted root."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gi.repository import Gio, GLib

from tests.integration.open_bus import open_bus
from tests.unit.bootloader.signing import TARGET, Publisher, manifest_of

REPOSITORY = Path(__file__).resolve().parents[3]
BUS_NAME = "org.puad.Bootloader1"
OBJECT = "/org/puad/Bootloader1"
PROPERTIES = "org.freedesktop.DBus.Properties"
SLOT_BYTES = 4 << 20
PATIENCE_S = 180
ALLOWED_USER = "daemon"
HEALTH_USER = "bin"
HOST_UUID = "4c4c4544-0042-3510-8053-b7c04f4e3232"
LINUX = b"kernel" * 1000
SEAL = "(saayaysay)"

CLOSED = """\
<policy context="default">
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>{policy}</include>
"""
SERVICE_CONFIG = """\
backend = "simulated"
user = "{user}"
health_user = "{health_user}"
trust_root = "{folder}/root.json"
os_release = "{folder}/os-release"
state = "{folder}/state"
run = "{folder}/run"
command_line = "ro puad.slot={{slot}}"
reboot_limit_s = 1

[files]
a = "{folder}/disk/a.img"
b = "{folder}/disk/b.img"
root = "{folder}/root"
host_uuid_file = "{folder}/host-uuid"

[simulated]
firmware = "{folder}/disk/firmware"
"""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, long enough for the slowest machine."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            pytest.fail(f"waited {PATIENCE_S} s in vain until {what}")
        time.sleep(0.02)


@contextmanager
def running(*argv: str | Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone at the end."""
    with subprocess.Popen(list(argv), **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()


@contextmanager
def private_bus(folder: Path, policy: Path | None = None) -> Iterator[str]:
    """A system bus of our own; open to all, or closed but for what a policy file allows."""
    config = folder / "bus.conf"
    more = CLOSED.format(policy=policy) if policy else ""
    config.write_text(open_bus(f"unix:path={folder}/bus", more))
    argv = ("/usr/bin/dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1")
    with running(*argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().decode().strip()


@contextmanager
def connection(address: str) -> Iterator[Gio.DBusConnection]:
    """A connection to a bus."""
    flags = (
        Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
        | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    )
    bus = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
    try:
        yield bus
    finally:
        if not bus.is_closed():
            bus.close_sync(None)


def error_name(error: GLib.Error) -> str:
    """The last part of a D-Bus error's name."""
    return (Gio.DBusError.get_remote_error(error) or "").rpartition(".")[2]


class Client:
    """A caller of boot control."""

    def __init__(self, bus: Gio.DBusConnection) -> None:
        self.bus = bus

    def call(
        self, method: str, signature: str = "()", *values: Any, fds: tuple[int, ...] = ()
    ) -> tuple[Any, Gio.UnixFDList | None]:
        passed = Gio.UnixFDList.new()
        for fd in fds:
            passed.append(fd)
        answer: tuple[Any, Gio.UnixFDList | None] = self.bus.call_with_unix_fd_list_sync(
            BUS_NAME,
            OBJECT,
            BUS_NAME,
            method,
            GLib.Variant(signature, values),
            None,
            Gio.DBusCallFlags.NO_AUTO_START,
            PATIENCE_S * 1000,
            passed,
            None,
        )
        return answer

    def get(self, name: str) -> Any:
        asked = GLib.Variant("(ss)", (BUS_NAME, name))
        return self.bus.call_sync(
            BUS_NAME, OBJECT, PROPERTIES, "Get", asked, None, Gio.DBusCallFlags.NONE, -1, None
        ).unpack()[0]

    def slot(self, name: str) -> dict[str, Any]:
        return next(slot for slot in self.get("Slots") if slot["name"] == name)

    def open_inactive(self, slot: str = "b") -> int:
        value, descriptors = self.call("OpenInactive", "(s)", slot)
        assert descriptors is not None
        return int(descriptors.get(value.unpack()[0]))

    def write(self, data: bytes, slot: str = "b") -> None:
        fd = self.open_inactive(slot)
        try:
            assert os.pwrite(fd, data, 0) == len(data)
        finally:
            os.close(fd)

    def stage(self, data: bytes = LINUX, kind: str = "linux", **changes: Any) -> None:
        values = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} | changes
        fd = os.memfd_create(kind)
        try:
            os.write(fd, data)
            self.call("Stage", "(sshts)", "b", kind, 0, values["size"], values["sha256"], fds=(fd,))
        finally:
            os.close(fd)

    def refusal(self, method: str, signature: str = "()", *values: Any) -> str:
        """The name of the error that a call is refused with."""
        with pytest.raises(GLib.Error) as caught:
            self.call(method, signature, *values)
        return error_name(caught.value)


@dataclass
class Node:
    """Where everything lies, and who signs."""

    folder: Path
    publisher: Publisher
    address: str = ""

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DBUS_SYSTEM_BUS_ADDRESS": self.address,
            "PYTHONPATH": str(REPOSITORY),
        }

    def signed_targets(self, image: bytes, signed_index: bytes = b"", **changes: Any) -> bytes:
        return self.publisher.targets(manifest_of(image, **changes), index=signed_index)

    def seal(self, client: Client, image: bytes, **changes: Any) -> None:
        targets = self.signed_targets(image, **changes)
        client.call("Seal", SEAL, "b", [], targets, TARGET, b"")

    def firmware(self, *arguments: str) -> None:
        machine = self.folder / "machine.toml"
        machine.write_text(f'disk = "{self.disk}"\npersist = "{self.folder}"\n')
        command = [sys.executable, "-m", "bootloader", "firmware", "init", "--config", str(machine)]
        subprocess.run([*command, *arguments], env=self.environment, check=True)


def make_file_system(path: Path, content: dict[str, str]) -> None:
    """A small ext4 image with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in content.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_text(text)
        with path.open("wb") as file:
            file.truncate(SLOT_BYTES)
        path.chmod(0o600)
        make: list[str | Path] = ["/usr/sbin/mkfs.ext4", "-q", "-F", "-d", folder, path]
        subprocess.run(make, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def node() -> Iterator[Node]:
    """A node with slot a good and mounted; its folder can be entered by every user."""
    folder = Path(tempfile.mkdtemp(prefix="puad-node-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        publisher = Publisher()
        node = Node(folder, publisher)
        node.address = stack.enter_context(private_bus(folder))
        for name in ("disk", "root", "run"):
            (folder / name).mkdir()
        (folder / "root.json").write_bytes(publisher.root())
        (folder / "os-release").write_text('IMAGE_ID="edge"\nIMAGE_VERSION="13.0"\n')
        (folder / "host-uuid").write_text(f"{HOST_UUID.upper()}\n")
        (folder / "service.toml").write_text(
            SERVICE_CONFIG.format(folder=folder, user=ALLOWED_USER, health_user=HEALTH_USER)
        )
        make_file_system(node.disk / "a.img", {"hello": "a"})
        (node.disk / "b.img").write_bytes(bytes(SLOT_BYTES))
        node.firmware()
        mount = ["/usr/bin/mount", "-o", "ro,loop", str(node.disk / "a.img"), str(folder / "root")]
        subprocess.run(mount, check=True)
        stack.callback(subprocess.run, ["/usr/bin/umount", str(folder / "root")], check=True)
        yield node


@contextmanager
def serving(node: Node) -> Iterator[subprocess.Popen[bytes]]:
    """The real service on the node's bus."""
    config = node.folder / "service.toml"
    argv = (sys.executable, "-m", "bootloader", "--config", str(config))
    with running(*argv, env=node.environment) as service, connection(node.address) as bus:

        def is_there() -> bool:
            assert service.poll() is None, "the service ended"
            asked = GLib.Variant("(s)", (BUS_NAME,))
            daemon = "org.freedesktop.DBus"
            flags = Gio.DBusCallFlags.NONE
            answer = bus.call_sync(
                daemon, "/", daemon, "NameHasOwner", asked, None, flags, -1, None
            )
            return bool(answer.unpack()[0])

        wait_until(is_there, "boot control is on the bus")
        yield service


@pytest.fixture
def service(node: Node) -> Iterator[subprocess.Popen[bytes]]:
    with serving(node) as process:
        yield process


@pytest.fixture
def client(node: Node, service: subprocess.Popen[bytes]) -> Iterator[Client]:
    """Root, talking to the running service."""
    with connection(node.address) as bus:
        yield Client(bus)
