# SPDX-License-Identifier: Apache-2.0
"""User puad in wrong hands, and how exposed the services are: measured on the node itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.vm.harness.bench import SECOND, Bench, Kind
from tests.vm.harness.guest import Done
from tests.vm.harness.node import Node

_INTRUDER = Path(__file__).with_name("intruder.py")
_MOST_EXPOSED = {"puad.service": 2.0, "puad-bootloader.service": 3.0}
_PYTHON = "/usr/bin/python3"
# The kernel lets every user do these; neither reaches a device. The sandbox refuses them, too.
_OPEN_TO_ALL = {"enter new namespaces", "open an io_uring"}


def test_user_puad_is_refused_whatever_it_tries_past_boot_control(idle: Node) -> None:
    before = idle.esp()
    disk = idle.guest_output("lsblk", "--noheadings", "--nodeps", "-o", "MAJ:MIN", "/dev/vda")
    idle.machine.guest.write("/run/intruder.py", _INTRUDER.read_text(encoding="utf-8"))
    words = ["/run/intruder.py", disk.strip()]
    alone = idle.machine.guest.run([_PYTHON, *words], as_user="puad")
    inside = _in_the_sandbox(idle, words)
    for done, harmless in ((alone, _OPEN_TO_ALL), (inside, set())):
        answers = dict(map(json.loads, done.stdout.splitlines()))
        assert len(answers) > 15, done.text
        assert {what for what, answer in answers.items() if answer == "DONE"} <= harmless
    assert idle.esp() == before
    assert idle.booted_slot() == "a"


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


def test_user_puad_cannot_have_a_forged_image_booted(idle: Node, bench: Bench, kind: Kind) -> None:
    idle.offer(bench.image(kind, SECOND))
    slot = "busctl --system call org.puad.Bootloader1 /org/puad/Bootloader1 org.puad.Bootloader1"
    tried = {
        "arm what is not sealed": f"{slot} Arm su b 3",
        "seal nothing": f"{slot} Seal saayays b 0 0 edge/2.0/edge-2.0.raw.zst",
        "disarm the booted slot": f"{slot} Disarm s a",
        "mark the other slot": f"{slot} MarkGood s b",
    }
    for what, line in tried.items():
        done = idle.machine.guest.run(line.split(), as_user="puad")
        assert done.code != 0, f"{what}: {done.text}"
        assert "org.puad.Bootloader1.Error." in done.text or "Call failed" in done.text
    nobody = idle.machine.guest.run(tried["disarm the booted slot"].split(), as_user="nobody")
    assert nobody.code != 0


@pytest.mark.parametrize("unit", sorted(_MOST_EXPOSED))
def test_service_is_exposed_no_more_than_it_may_be(idle: Node, unit: str) -> None:
    said = idle.guest_output("systemd-analyze", "security", "--no-pager", unit)
    (score,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert float(score) <= _MOST_EXPOSED[unit], said
