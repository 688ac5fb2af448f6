# SPDX-License-Identifier: Apache-2.0
"""Evidence: what is kept of a scenario that failed, so that it need not be run again to be seen.

Console, firmware's entries, the guest's journal, the server's log and history, and the disk's
persistent partition as far as the guest still shows it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from requests import RequestException

from tests.demo.tool import ToolError
from tests.vm.harness.guest import GuestAwayError
from tests.vm.harness.qmp import QmpError

if TYPE_CHECKING:
    from tests.vm.harness.node import Node

_COMMANDS = {
    "journal.txt": "journalctl --no-pager --output=short-monotonic --lines=4000",
    "journal-before.txt": "journalctl --no-pager --output=short-monotonic -b -1 --lines=4000",
    "units.txt": "systemctl --no-pager list-units --all; systemctl --no-pager list-jobs",
    "disk.txt": "lsblk --output-all; cat /proc/cmdline /proc/mounts",
    "esp.txt": "mkdir -p /run/esp; mountpoint -q /efi || mount -o ro LABEL=ESP /efi;"
    " find /efi -type f -exec ls -la {} +; head -v -n 40 /efi/loader/entries/* /efi/grub/*;"
    " bootctl --no-pager status",
    "status.txt": "puadctl status; puadctl slots; puadctl history",
    "store.txt": "head -c 20000 -v /var/lib/puad/*.json /var/lib/puad-health/*.json"
    " /var/lib/puad-bootloader/*.json",
}


def keep(node: Node, folder: Path) -> None:
    """Put everything that can still be had into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    machine = node.machine
    if machine.is_on and machine.guest.is_up():
        for name, command in _COMMANDS.items():
            with contextlib.suppress(GuestAwayError):
                done = machine.guest.run(["/bin/sh", "-c", command], limit_s=90)
                (folder / name).write_text(done.text, encoding="utf-8")
    if machine.is_on:
        with contextlib.suppress(QmpError):
            events = json.dumps(machine.qmp.events, indent=1)
            (folder / "machine-events.json").write_text(events, encoding="utf-8")
    for path in (machine.console, machine.folder / "qemu.log"):
        with contextlib.suppress(OSError):
            shutil.copy(path, folder)
    shutil.copytree(node.layout.logs, folder / "logs")
    with contextlib.suppress(RequestException, ToolError, OSError):
        runs = json.dumps(node.server.runs(), indent=1)
        (folder / "update-runs.json").write_text(runs, encoding="utf-8")
