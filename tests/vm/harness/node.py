# SPDX-License-Identifier: Apache-2.0
"""Node: one virtual node with its orchestrator and its release service, as a scenario sees them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

from tests.demo.layout import Layout
from tests.demo.releases import ReleaseService
from tests.demo.waiting import wait_for
from tests.vm.harness.evidence import keep
from tests.vm.harness.guest import Done, GuestAwayError
from tests.vm.harness.machine import Counters, Machine, Saved
from tests.vm.harness.server import Server
from tests.vm.image.disk import NodeFiles
from tests.vm.image.faults import VARIABLE
from tests.vm.image.recipe import NodeImage
from tests.vm.image.tree import PROFILE

BOOT_S = 600  # a boot takes 30 s here, and ten times as long beside other work
_BOOT_CONTROL: Final = ("org.puad.Bootloader1", "/org/puad/Bootloader1", "org.puad.Bootloader1")
_AGENT: Final = ("org.puad.Agent1", "/org/puad/Agent1", "org.puad.Agent1")
_SLOT: Final = re.compile(r"\bpuad\.slot=(\w+)")


class Node:
    """The node and its surroundings; `folder` is theirs."""

    def __init__(self, folder: Path, counters: Counters) -> None:
        self.folder = folder
        self.layout = Layout(folder, folder)
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        self.machine = Machine(folder / "machine", counters=counters)
        self.server = Server(self.layout)
        log = self.layout.logs / "release.log"
        self.release = ReleaseService(self.layout.release, folder / "keys", log, PROFILE)
        self.files = NodeFiles()

    # ---- coming and going ----

    def serve(self) -> None:
        """Start the orchestrator and connect the machine's network to it."""
        self.server.start(self.release.folder, self.release.root_of_trust)
        self.machine.relay_port = self.server.port

    def adopt(self, state: Path) -> None:
        """Go on from a saved state."""
        self.server.adopt(state)
        for name in ("release", "keys"):
            shutil.copytree(state / name, self.folder / name)
        self.serve()
        self.machine.resume(Saved(state))

    def save(self, folder: Path) -> None:
        """Save everything as it is now, and stop it."""
        self.guest_output("sync")
        self.machine.save(folder / "machine-half")
        for path in (folder / "machine-half").iterdir():
            path.rename(folder / path.name)
        (folder / "machine-half").rmdir()
        self.server.stop()
        self.server.save(folder)
        for name in ("release", "keys"):
            shutil.copytree(self.folder / name, folder / name)

    def power_on(self) -> None:
        """Switch the machine on."""
        self.machine.power_on()

    def close(self) -> None:
        """End everything."""
        self.machine.cut_power()
        self.server.stop()

    def keep_evidence(self, folder: Path) -> None:
        """Keep what tells why something went wrong."""
        keep(self, folder)

    # ---- the release service ----

    def offer(self, image: NodeImage) -> dict[str, Any]:
        """Publish an image and have the orchestrator find it: what `puad-release` says of it."""
        release = self.release.add(image.version, image.root, image.linux, image.initrd)
        self.release.publish()
        self.server.find_releases()
        return release

    # ---- whoever works on the node ----

    def guest_output(self, *command: str) -> str:
        """Run a command as root that must succeed."""
        return self.machine.guest.output(*command)

    def puadctl(self, *words: str) -> Done:
        """Run puadctl as root."""
        return self.machine.guest.run(["puadctl", *words])

    def ask_server(self) -> None:
        """Have the node ask the orchestrator now, and not only at its next poll."""
        self.guest_output("busctl", "--quiet", "--timeout=300", "call", *_AGENT, "Check")

    def booted_slot(self) -> str:
        """The slot that is mounted as root; empty while the node boots or does not answer."""
        if not self.machine.is_settled:
            return ""
        with contextlib.suppress(GuestAwayError, AssertionError):
            root = ("findmnt", "--noheadings", "--first-only", "--output", "PARTLABEL", "/")
            return self.guest_output(*root).strip().removeprefix("rootfs_")
        return ""

    def slot_of_boot(self, back: int) -> str:
        """The slot of so many boots ago, by the kernel's command line in the journal."""
        kernel = ("journalctl", "--no-pager", "--quiet", "--dmesg", "--output=cat")
        slot = _SLOT.search(self.guest_output(*kernel, f"--boot=-{back}"))
        assert slot, f"the journal of the boot before {back} others names no slot"
        return slot.group(1)

    def os_release(self) -> dict[str, str]:
        """os-release of the root that runs."""
        lines = self.guest_output("cat", "/usr/lib/os-release").splitlines()
        return {k: v.strip('"') for k, _, v in (line.partition("=") for line in lines)}

    def running(self) -> str:
        """Slot and image that run."""
        release = self.os_release()
        return f"slot {self.booted_slot()}: {release['IMAGE_ID']} {release['IMAGE_VERSION']}"

    def slots(self) -> dict[str, dict[str, Any]]:
        """What boot control says, by slot."""
        # a twentieth of what puadctl costs a slow machine
        told = self.guest_output("busctl", "--json=short", "get-property", *_BOOT_CONTROL, "Slots")
        slots = [{k: v["data"] for k, v in slot.items()} for slot in json.loads(told)["data"]]
        return {slot["name"]: slot for slot in slots}

    def esp(self) -> dict[str, str]:
        """SHA-256 by path of the ESP's files, but for the seed that each boot changes."""
        find = "find . -type f ! -name random-seed -exec sha256sum {} +"
        lines = self.guest_output("sh", "-c", f"cd /efi && {find}").splitlines()
        return {path: digest for digest, path in (line.split(maxsplit=1) for line in lines)}

    # ---- waiting ----

    def wait_slot(self, slot: str, limit_s: float = BOOT_S) -> None:
        """Wait until that slot has booted and the guest answers."""
        wait_for(f"slot {slot} to be up", lambda: self.booted_slot() == slot, limit_s, 2)

    def wait_good(self, slot: str, limit_s: float = BOOT_S) -> None:
        """Wait until that slot runs and is good."""
        self.wait_slot(slot, limit_s)
        wait_for(f"slot {slot} to be good", lambda: self._is_good(slot), limit_s, 3)

    def _is_good(self, slot: str) -> bool:
        with contextlib.suppress(GuestAwayError):
            # asked first, because it costs a slow machine less than puadctl
            marked = self.machine.guest.run(["systemctl", "is-active", "puad-mark-good.service"])
            return marked.code == 0 and self.slots()[slot]["assessment"] == "good"
        return False

    def wait_status(self, status: str, limit_s: float = BOOT_S) -> None:
        """Wait until the server knows the node in this status."""
        wait_for(f"{status} at the server", lambda: self.server_status() == status, limit_s, 2)

    def set_tries(self, tries: int) -> None:
        """Give new images so many boots, until the next boot of this slot."""
        self.machine.guest.write("/run/puad/config.d/60-tries.toml", f"[update]\ntries = {tries}\n")
        self.guest_output("systemctl", "restart", "puad.service")

    def set_variable(self, name: str, value: bytes) -> None:
        """Set an EFI variable, name and vendor's GUID joined by a hyphen; empty takes it away."""
        path = f"/sys/firmware/efi/efivars/{name}"
        self.machine.guest.run(["sh", "-c", f"chattr -i {path}; rm -f {path}"])
        if value:
            data = bytes((7, 0, 0, 0)) + value
            done = self.machine.guest.run(["dd", "status=none", f"of={path}"], stdin=data)
            assert done.code == 0, done.text

    def bring_files(self) -> None:
        """Bring the node's own files, as an integrator does whose disk came without them."""
        for name, text in (
            ("node.d/10-node.toml", self.files.config),
            ("ca.crt", self.files.ca),
            ("token", self.files.token),
        ):
            self.machine.guest.write(f"/var/lib/puad/{name}", text)
        self.guest_output("chown", "puad:puad", "/var/lib/puad/token")
        self.guest_output("chmod", "0600", "/var/lib/puad/token")
        self.guest_output("systemctl", "restart", "puad.service")

    def choose_fault(self, fault: str) -> None:
        """Say which fault the image `faulty` shows from its next boot on."""
        self.set_variable(VARIABLE, f"{fault}\n".encode("ascii"))

    def open_window(self, for_s: int = 3600) -> None:
        """Open a maintenance window now."""
        self.server.plan_window(2, for_s)
        with contextlib.suppress(GuestAwayError):  # the reboot may be quicker than the answer
            self.ask_server()

    def wait_updated(self, slot: str, limit_s: float = 3 * BOOT_S) -> None:
        """Wait until that slot runs, is good, and the server has heard so."""
        self.wait_good(slot, limit_s)
        wait_for("the run to end at the server", self._is_updated, BOOT_S, 2)

    def _is_updated(self) -> bool:
        runs = self.server.runs()
        return bool(runs and runs[0]["status"] == "Update completed")

    def server_status(self) -> str:
        """The status of the update, as the protocol names it."""
        return self.server.look().status_type
