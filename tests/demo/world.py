# SPDX-License-Identifier: Apache-2.0
"""World: everything that a step of the demo can touch, started in order and ended in order."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.demo.images import PROFILE, Image, build_images
from tests.demo.layout import Layout
from tests.demo.ledger import Ledger
from tests.demo.narration import Narration
from tests.demo.node import Addresses, Node
from tests.demo.orchestrator import Orchestrator
from tests.demo.relay import Relay
from tests.demo.releases import ReleaseService, founded
from tests.demo.roots import Recipe, Root, make_roots
from tests.demo.sabotage import Sabotage
from tests.demo.slots import SLOTS
from tests.demo.waiting import NotSeenError, wait_for
from tests.demo.watch import Watch

IMAGE_ENDING = ".raw.zst"
_UPDATE_S = 120
_MOST_BOOTS = 5  # two tries and the fallback are three


@dataclass(slots=True)
class World:
    """The parts, all of them up."""

    layout: Layout
    narration: Narration
    sabotage: Sabotage
    files: dict[str, Path]
    roots: dict[Recipe, Root]
    release: ReleaseService
    server: Orchestrator
    relay: Relay
    node: Node
    watch: Watch
    ledger: Ledger
    meanwhile: Executor
    added: dict[Image, Future[dict[str, Any]]] = field(default_factory=dict)

    def prepare(self, image: Image) -> None:
        """Begin to add an image to the release service while something else is waited for.

        Only when nothing else is published before it, because `publish` takes all that was added.
        """
        self.added[image] = self.meanwhile.submit(self._add, image)

    def publish(self, image: Image) -> dict[str, Any]:
        """Publish an image: what `puad-release` says of it."""
        added = self.added.pop(image, None)
        release = added.result() if added else self._add(image)
        self.release.publish()
        self.narration.say(
            f"published: {PROFILE} {image.version}, {release['image_size'] >> 20} MiB as"
            f" {release['file_size'] >> 20} MiB, signed"
        )
        return release

    def _add(self, image: Image) -> dict[str, Any]:
        kernel = self.roots[image.recipe].kernel
        return self.release.add(image.version, self.files[image.version], kernel)

    def offer(self, image: Image) -> None:
        """Publish an image, and have the orchestrator find it."""
        self.publish(image)
        self.server.find_releases()

    def running(self) -> str:
        """What the node runs: os-release in the slot that is mounted as its root."""
        slot = self.node.booted_slot()
        release = self.node.disk.os_release(slot) if slot else {}
        name = f"{release.get('IMAGE_ID', '?')} {release.get('IMAGE_VERSION', '?')}"
        return f"slot {slot}: {name}" if slot else "nothing"

    def puadctl(self, *words: str) -> None:
        """Have an engineer at the node's console run puadctl, and show what it prints."""
        done = self.node.puadctl(*words)
        self.narration.say(f"node$ puadctl {' '.join(words)}")
        for line in (done.stdout + done.stderr).splitlines():
            self.narration.plain(f"            | {line}")

    def wait_for_report(self, *types: str) -> None:
        """Wait until the node is up and has reported one of these status types."""
        wait_for("the node to be up", self.node.booted_slot, _UPDATE_S)
        wait_for("the node's report", lambda: self.watch.now.status_type in types, _UPDATE_S)

    def slots(self) -> tuple[str, str]:
        """The booted slot and the other one."""
        booted = wait_for("the node to be up", self.node.booted_slot, _UPDATE_S)
        return booted, "b" if booted == "a" else "a"

    def firmware(self) -> str:
        """Which slot the firmware boots first, and whether it still counts its tries."""
        entries = [e for e in map(self.node.disk.entry, SLOTS) if e is not None]
        bootable = [e for e in entries if e.tries_left != 0]
        if not bootable:
            return "nothing bootable"
        first = max(bootable, key=lambda entry: entry.generation)
        state = "good" if first.tries_left is None else f"{first.tries_left} tries left"
        return f"{first.slot} {state}, first"

    def wait_for_end(self, mark: int, good: str = "UP_TO_DATE") -> None:
        """Wait until the update that began after `mark` is over, well or badly, at the server.

        Raises:
            NotSeenError: when that takes too long, or the node boots again and again.
        """
        boots = self.node.boots

        def is_over() -> bool:
            if self.node.boots - boots > _MOST_BOOTS:
                raise NotSeenError(f"the node has booted {_MOST_BOOTS} times without an end")
            types = self.watch.since(mark)
            return len(types) > 1 and types[-1] in {good, "FAILED"}

        wait_for("the end of the update", is_over, _UPDATE_S)

    def image_hash(self, image: Image) -> str:
        """The beginning of the SHA-256 of an image, as it was built."""
        with self.files[image.version].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def slot_hash(self, image: Image) -> str:
        """The same over as many bytes of the booted slot."""
        size = self.files[image.version].stat().st_size
        slot = self.node.booted_slot()
        return self.node.disk.image_hash(slot, size)[:16] if slot else "nothing booted"


def named(image: Image) -> str:
    """An image as the server names it."""
    return f"{PROFILE} {image.version}"


@contextlib.contextmanager
def build_world(
    layout: Layout, narration: Narration, sabotage: Sabotage, images: Sequence[Image]
) -> Iterator[World]:
    """Make images and release service, start server and node; the first image is provisioned."""
    first = images[0]
    say = narration.say
    with layout.filling_cache():
        roots = {root.recipe: root for root in make_roots(layout, _recipes(images), say)}
        release = founded(layout)
        files = build_images(layout, images, [*roots.values()], release.root_of_trust, say)
    with contextlib.ExitStack() as stack:
        meanwhile = stack.enter_context(ThreadPoolExecutor(1))
        kernel = roots[first.recipe].kernel
        added = meanwhile.submit(release.add, first.version, files[first.version], kernel)
        server = Orchestrator(layout)
        stack.callback(server.stop)
        server.init()
        server.start(release.folder, release.root_of_trust)
        say(f"the orchestrator listens at {server.url}/")
        relay = Relay(f"{server.url}/release/")
        stack.callback(relay.close)
        node = Node(layout, narration)
        token = server.enrol(node.guid, first.version)
        watch = Watch(server.look, narration)
        stack.callback(watch.close)
        world = World(
            layout=layout,
            narration=narration,
            sabotage=sabotage,
            files=files,
            roots=roots,
            release=release,
            server=server,
            relay=relay,
            node=node,
            watch=watch,
            ledger=Ledger(relay.sent_bytes, narration),
            meanwhile=meanwhile,
            added={first: added},
        )
        world.offer(first)
        addresses = Addresses(server.url, relay.url, token, node.guid)
        counting = sabotage is not Sabotage.NO_COUNTING
        node.provision(files[first.version], kernel, addresses, counting=counting)
        stack.callback(node.cut_power)
        node.power_on()
        yield world


def _recipes(images: Sequence[Image]) -> list[Recipe]:
    return list(dict.fromkeys(image.recipe for image in images))
