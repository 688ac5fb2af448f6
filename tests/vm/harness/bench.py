# SPDX-License-Identifier: Apache-2.0
"""Bench: everything that virtual nodes stand on, made once from this checkout and kept.

`build/cache/vm` keeps the deb, the images and the *states*: a node, its orchestrator and its
release service, saved together while they ran. A state's whole recipe is in its name. A test takes
a copy, which costs seconds and no boot.

    factory   a disk with version 1.0 in slot a, and an orchestrator that has enrolled the node
    idle      the node runs 1.0 and has reported; a policy LATEST is linked to it
    staged    version 2.0, of some variant, lies sealed on slot b and waits for its window
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.demo.layout import REPOSITORY, key, tree_key
from tests.demo.releases import ReleaseService, kept_trust
from tests.demo.tool import run_tool
from tests.vm.harness.emulator import emulator
from tests.vm.harness.machine import ADDRESS, DEVICES, GUID, PORT, Counters
from tests.vm.harness.node import Node
from tests.vm.image.disk import NodeFiles, make_disk
from tests.vm.image.layout import CACHE, LOG, filling_cache
from tests.vm.image.recipe import NodeImage, Spec, build
from tests.vm.image.tree import PROFILE

FIRST: Final = "1.0"
SECOND: Final = "2.0"
_IDENTITY: Final = uuid.UUID("f0b6f5b2-3d0e-4a61-9d0e-6f5c9d1e2a33")
_PARTS: Final = ("puad", "bootloader", "systemd", "packaging")
_BOOT_S: Final = 600
_STAGE_S: Final = 900
_LARGER_DISK_BYTES: Final = 2 << 30
_LATER_S: Final = 20 * 3600
_SETTINGS: Final = """\
[server]
poll_interval_s = 5
[update]
tries = {tries}
health_deadline_s = 30
immediate_download_window_s = 86400
synchronised_clock = false
[pace]
busy_write_bytes_s = 0
pause_above_load_percent = 0
[health]
agent_stable_s = 5
probe_deadline_s = 20
"""
_NODE: Final = f"""\
[server]
url = "https://{ADDRESS}:{PORT}"
ca_file = "/var/lib/puad/ca.crt"
[release]
url = "https://{ADDRESS}:{PORT}/release/"
ca_file = "/var/lib/puad/ca.crt"
"""


class Staged(Protocol):
    """Starts a node on which version 2.0, of some variant, waits for its window."""

    def __call__(self, variant: str = "good") -> Node: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What all nodes of a state have in common.

    Attributes:
        loader: The back end of boot control.
        tries: Boots that a new image gets, as the image has it.
    """

    loader: str = "systemd-boot"
    tries: int = 1

    @property
    def name(self) -> str:
        """A word for files and messages."""
        return f"{self.loader}-{self.tries}"


class Bench:
    """Makes states, and nodes from them."""

    def __init__(self, say: Callable[[str], None], counters: Counters) -> None:
        self._say = say
        self.counters = counters
        self._deb: Path | None = None

    # ---- what nodes are made from ----

    def deb(self) -> Path:
        """The package puad of this checkout, or the one that PUAD_VM_DEB names."""
        given = os.environ.get("PUAD_VM_DEB", "")
        if given:
            return Path(given)
        folder = CACHE / f"deb-{tree_key(*(REPOSITORY / part for part in _PARTS))}"
        with filling_cache():
            if not folder.exists():
                self._say("building the package")
                half = folder.with_suffix(".half")
                shutil.rmtree(half, ignore_errors=True)
                run_tool([REPOSITORY / "packaging/deb/build", half], LOG, timeout_s=600)
                half.rename(folder)
        (deb,) = folder.glob("puad_*.deb")
        return deb

    def image(self, kind: Kind, version: str, variant: str = "good") -> NodeImage:
        """An image of the reference node."""
        settings = _SETTINGS.format(tries=kind.tries)
        trust = self._trust().root_of_trust
        spec = Spec(version, variant, self.deb(), trust, settings, kind.loader)
        return build(spec)

    def _trust(self) -> ReleaseService:
        with filling_cache():
            kept = kept_trust(CACHE, LOG)
        return ReleaseService(kept / "release", kept / "keys", LOG, PROFILE)

    # ---- states ----

    def idle(self, kind: Kind) -> Path:
        """The state in which the node has nothing to do."""
        image = self.image(kind, FIRST)
        name = f"idle-{kind.name}-{key(*self._base(kind), image.root.name)}"
        return self._made(name, lambda half: self._make_idle(kind, image, half))

    def staged(self, kind: Kind, variant: str = "good", version: str = SECOND) -> Path:
        """The state in which that image waits for its window."""
        idle, image = self.idle(kind), self.image(kind, version, variant)
        name = f"staged-{kind.name}-{variant}-{key(idle.name, image.root.name, image.initrd.name)}"
        return self._made(name, lambda half: self._make_staged(idle, image, half))

    def factory(self, kind: Kind, image: NodeImage, folder: Path, *, whole: bool = True) -> Node:
        """A node that was never switched on, in this folder, and its running server.

        Args:
            kind: What it has in common with others.
            image: What it runs.
            folder: Its own.
            whole: The disk has everything, the node's own files as well; otherwise ESP and slot a
                only, as a factory lays it out.
        """
        node = Node(folder, self.counters)
        trust = self._trust()
        shutil.copytree(trust.folder, node.layout.release)
        shutil.copytree(trust.keys, node.layout.run / "keys")
        token = node.server.found(GUID, image.version)
        node.release.add(image.version, image.root, image.linux, image.initrd)
        node.release.publish()
        node.serve()
        node.server.find_releases()
        ca = node.server.ca_file.read_text(encoding="ascii")
        node.files = NodeFiles(config=_NODE, token=token + "\n", ca=ca)
        raw = folder / "factory.raw"
        if whole:
            make_disk(image, raw, files=node.files, identity=_IDENTITY)
        else:
            make_disk(image, raw, identity=_IDENTITY, factory=True)
            os.truncate(raw, _LARGER_DISK_BYTES)
        node.machine.insert(raw)
        return node

    def node(self, state: Path, folder: Path) -> Node:
        """A node that goes on from a state."""
        node = Node(folder, self.counters)
        node.adopt(state)
        return node

    def _base(self, kind: Kind) -> tuple[object, ...]:
        today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"  # what is signed holds for some days
        return emulator(), DEVICES, _NODE, kind, today

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        state = CACHE / f"state-{name}"
        with _Lock(name):
            if not state.exists():
                half = state.with_suffix(".half")
                shutil.rmtree(half, ignore_errors=True)
                half.mkdir(parents=True)
                make(half)
                half.rename(state)
        return state

    def _make_idle(self, kind: Kind, image: NodeImage, half: Path) -> None:
        self._say(f"making a node that runs {image.version} ({kind.name})")
        kept = CACHE / f"factory-{half.name}"
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
            node = self.factory(kind, image, Path(folder))
            # other disks stand on this one, so it must keep its place
            raw = (Path(folder) / "factory.raw").rename(kept.with_suffix(".raw"))
            node.machine.insert(raw)
            with _evidence(node):
                node.power_on()
                node.wait_good("a", _BOOT_S)
                node.server.link_latest()
                node.wait_status("UP_TO_DATE", _BOOT_S)
                node.save(half)

    def _make_staged(self, idle: Path, image: NodeImage, half: Path) -> None:
        self._say(f"staging {image.version}, {image.variant.name}, on a node")
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="work-") as folder:
            node = self.node(idle, Path(folder))
            with _evidence(node):
                node.offer(image)
                node.server.plan_window(_LATER_S, 3600)
                node.ask_server()
                node.wait_status("DOWNLOADED", _STAGE_S)
                node.save(half)


@contextlib.contextmanager
def _evidence(node: Node) -> Iterator[None]:
    try:
        yield
    except BaseException:
        node.keep_evidence(CACHE / "failed-preparation")
        raise
    finally:
        node.close()


class _Lock:
    """Only one process makes a thing that is kept; others wait for it."""

    def __init__(self, name: str) -> None:
        self._file = CACHE / f"lock-{name}"

    def __enter__(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        self._stream = self._file.open("wb")
        fcntl.flock(self._stream, fcntl.LOCK_EX)

    def __exit__(self, *_error: object) -> None:
        self._stream.close()
