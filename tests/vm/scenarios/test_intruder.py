# SPDX-License-Identifier: Apache-2.0
"""User puad in wrong hands, and how exposed the services are: measured on the node itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.vm.harness.bench import SECOND, Staged
from tests.vm.harness.guest import Done
from tests.vm.harness.node import Node

_INTRUDER = Path(__file__).with_name("intruder.py")
_FORGER = Path(__file__).with_name("forger.py")
_WORK = "/run/forger"
_MOST_EXPOSED = {"puad.service": 2.0, "puad-bootloader.service": 3.0}
_PYTHON = "/usr/bin/python3"
_REFUSED = {"EACCES", "EPERM", "EROFS"}
# The kernel lets every user do these; neither reaches a device. The sandbox refuses them, too.
_OPEN_TO_ALL = {"enter new namespaces", "open an io_uring"}
_OF_DEVICES = {
    "write the disk",
    "write the active slot",
    "write the inactive slot",
    "read the disk",
}
_OUTSIDE = {
    "disarm the booted slot": "SlotBooted",
    "open the booted slot": "SlotBooted",
    "arm the booted slot": "SlotBooted",
    "change the booted slot's id": "SlotBooted",
    "mark the inactive slot good": "NotBooted",
}
_FORGERY = {
    "disarm the inactive slot": "DONE",
    "write the inactive slot": "DONE",
    "stage the kernel": "DONE",
    "stage the initrd": "DONE",
    "arm what nobody sealed": "NotSealed",
    "seal a forged image with genuine metadata": "ImageMismatch",
    "seal it with metadata that were changed": "SignatureInvalid",
    "seal it with none": "SignatureInvalid",
    "stage a forged kernel": "DONE",
    "seal a forged kernel with genuine metadata": "BootFileMismatch",
    "arm what was refused": "NotSealed",
}


def test_user_puad_is_refused_whatever_it_tries_past_boot_control(idle: Node) -> None:
    before = idle.esp()
    disk = idle.guest_output("lsblk", "--noheadings", "--nodeps", "-o", "MAJ:MIN", "/dev/vda")
    idle.machine.guest.write("/run/intruder.py", _INTRUDER.read_text(encoding="utf-8"))
    words = ["/run/intruder.py", disk.strip()]
    alone = _answers(idle.machine.guest.run([_PYTHON, *words], as_user="puad"))
    inside = _answers(_in_the_sandbox(idle, words))
    assert {what for what, answer in alone.items() if answer not in _REFUSED} == _OPEN_TO_ALL
    # the sandbox shows no device at all
    hidden = {what for what, answer in inside.items() if answer == "ENOENT"}
    assert hidden <= _OF_DEVICES
    assert {what for what, answer in inside.items() if answer not in _REFUSED} == hidden
    assert idle.esp() == before
    assert idle.booted_slot() == "a"


def _answers(done: Done) -> dict[str, str]:
    """What was tried, and the answer; a program that ended early has not tried everything."""
    assert done.code == 0, done.text
    return dict(map(json.loads, done.stdout.splitlines()))


def _in_the_sandbox(node: Node, words: list[str]) -> Done:
    """Run a program under every restriction of puad.service, in place of puad."""
    out = "/run/puad/intruder.json"
    drop_in = "/run/systemd/system/puad-intruder.service"
    unit = node.guest_output("systemctl", "cat", "puad.service")
    kept = re.sub(r"(?m)^(Exec|Type|Restart|Watchdog|StartLimit).*$", "", unit)
    kept += f"\n[Service]\nType=oneshot\nExecStart={_PYTHON} {' '.join(words)}\n"
    kept += f"StandardOutput=file:{out}\n"
    node.machine.guest.write(drop_in, kept)
    node.guest_output("systemctl", "daemon-reload")
    node.guest_output("systemctl", "start", "puad-intruder.service")
    return node.machine.guest.run(["cat", out])


def test_forged_image_is_refused_by_boot_control_itself(staged: Staged) -> None:
    node = staged()
    _lay_out_for_the_forger(node)
    tried = {part: _forge(node, part, "puad") for part in ("outside", "forgery")}
    assert tried["outside"] == _OUTSIDE
    assert tried["forgery"] == _FORGERY
    for stranger in ("puad-health", "daemon"):
        assert set(_forge(node, "forgery", stranger).values()) == {"AccessDenied"}
    assert not [path for path in node.esp() if "loader/entries/puad-b" in path]
    assert node.booted_slot() == "a"


def _lay_out_for_the_forger(node: Node) -> None:
    node.guest_output("systemctl", "stop", "puad.service")  # it would mend what it sees
    guest = node.machine.guest
    guest.write(f"{_WORK}/forger.py", _FORGER.read_text(encoding="utf-8"))
    node.guest_output("sh", "-c", f"cp /efi/puad/b/* {_WORK}/ && chmod -R a+rX {_WORK}")
    metadata = node.release.folder / "metadata"
    newest = max(metadata.glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
    targets = newest.read_text(encoding="utf-8")
    guest.write(f"{_WORK}/targets.json", targets)
    paths = json.loads(targets)["signed"]["targets"]
    (target,) = (path for path in paths if f"/{SECOND}/" in path and path.endswith(".raw.zst"))
    guest.write(f"{_WORK}/target", target)


def _forge(node: Node, part: str, user: str) -> dict[str, str]:
    command = [_PYTHON, f"{_WORK}/forger.py", _WORK, part]
    return _answers(node.machine.guest.run(command, as_user=user, limit_s=600))


@pytest.mark.parametrize("unit", sorted(_MOST_EXPOSED))
def test_service_is_exposed_no_more_than_it_may_be(idle: Node, unit: str) -> None:
    said = idle.guest_output("systemd-analyze", "security", "--no-pager", unit)
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(score) <= _MOST_EXPOSED[unit], said
