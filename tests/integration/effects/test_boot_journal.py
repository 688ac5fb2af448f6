# SPDX-License-Identifier: Apache-2.0
"""The trail of failed boots, read from journal files that systemd itself has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puad.core.model import BootRecord
from puad.effects.boot_journal import read_trail
from tests.integration.effects.journals import Boot, write_journal

_FAILED = "f6ded17e8d4549f4b168c845ac01c71a"


def _armed() -> Boot:
    return Boot().of_slot("a").log("Booting slot b next", 5, SYSLOG_IDENTIFIER="puad")


def _now() -> Boot:
    return Boot().of_slot("a").log("Started puad", SYSLOG_IDENTIFIER="systemd")


def _given_up(boot: Boot, reason: str, **fields: str) -> Boot:
    text = f"the boot of slot b has failed ({reason}): the node reboots"
    told = {"MESSAGE_ID": _FAILED, "PUAD_SLOT": "b", "PUAD_REASON": reason}
    return boot.log(text, 3, **{"SYSLOG_IDENTIFIER": "puad-boot-failed", **told, **fields})


def _emergency() -> Boot:
    boot = Boot().of_slot("b")
    for number in range(30):
        boot.log(f"unit {number} is fine", SYSLOG_IDENTIFIER="systemd")
    boot.log("Timed out waiting for device dev-till.device.", 4, SYSLOG_IDENTIFIER="systemd")
    boot.log("Dependency failed for srv.mount.", 4, SYSLOG_IDENTIFIER="systemd")
    boot.log("a\x1b[2J hostile\nname", 3, SYSLOG_IDENTIFIER="till")
    return _given_up(boot, "emergency")


def test_trail_has_the_reason_and_the_last_lines_of_each_boot(tmp_path: Path) -> None:
    armed, first, second, now = _armed(), _emergency(), _emergency(), _now()
    write_journal(tmp_path, [Boot().of_slot("a"), armed, first, second, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert [boot.boot_id for boot in trail.boots] == [first.boot_id, second.boot_id]
    assert trail.boots[0].reason == "emergency"
    assert trail.boots[0].lines == (
        "systemd: Timed out waiting for device dev-till.device.",
        "systemd: Dependency failed for srv.mount.",
        "till: a\N{REPLACEMENT CHARACTER}[2J hostile name",
        "puad-boot-failed: the boot of slot b has failed (emergency): the node reboots",
    )
    assert trail.panic == ()


def test_trail_is_bounded(tmp_path: Path) -> None:
    armed, now, loud = _armed(), _now(), Boot().of_slot("b")
    for number in range(300):
        loud.log(f"{number} " + "x" * 5000, 3, SYSLOG_IDENTIFIER="loud")
    others = [Boot().of_slot("b").log("short") for _ in range(20)]
    write_journal(tmp_path, [armed, loud, *others, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert len(trail.boots) == 16
    assert len(trail.boots[0].lines) == 20
    assert trail.boots[0].lines[-1].startswith("loud: 299 xxx")
    assert max(map(len, trail.boots[0].lines)) == 200


def test_trail_of_a_boot_that_says_little_has_its_last_lines_whatever_their_level(
    tmp_path: Path,
) -> None:
    armed, now = _armed(), _now()
    hung = Boot().of_slot("b").log("Starting till.service", SYSLOG_IDENTIFIER="systemd")
    write_journal(tmp_path, [armed, hung, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert trail.boots[0].reason == ""
    assert trail.boots[0].lines[-1] == "systemd: Starting till.service"


def test_trail_without_a_boot_of_the_slot_is_empty_and_not_unknown(tmp_path: Path) -> None:
    armed, now = _armed(), _now()
    write_journal(tmp_path, [armed, Boot().of_slot("a").log("by hand"), now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert (trail.boots, trail.panic) == ((), ())


def test_trail_of_a_boot_that_names_no_slot_is_taken_for_the_tried_one(tmp_path: Path) -> None:
    armed, unnamed, now = _armed(), Boot().log("Linux version 6.12.48"), _now()
    write_journal(tmp_path, [armed, unnamed, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert trail.boots == (BootRecord(unnamed.boot_id, "", ("?: Linux version 6.12.48",)),)


def test_trail_that_begins_too_late_is_unknown(tmp_path: Path) -> None:
    armed, now = _armed(), _now()
    write_journal(tmp_path, [_emergency(), now])
    assert read_trail(tmp_path, "b", armed.boot_id, now.boot_id) is None


@pytest.mark.parametrize("folder", ["absent", "empty", "torn"])
def test_trail_of_no_journal_is_unknown(tmp_path: Path, folder: str) -> None:
    armed, now = _armed(), _now()
    if folder == "empty":
        (tmp_path / folder).mkdir()
    if folder == "torn":
        write_journal(tmp_path / folder, [armed, now])
        for file in (tmp_path / folder).rglob("*.journal"):
            file.write_bytes(file.read_bytes()[:3000])
    assert read_trail(tmp_path / folder, "b", armed.boot_id, now.boot_id) is None


def test_trail_of_a_boot_id_that_is_none_is_unknown(tmp_path: Path) -> None:
    write_journal(tmp_path, [_now()])
    assert read_trail(tmp_path, "b", "before the flood", "today") is None


def test_trail_without_a_known_arming_is_that_of_the_last_boot(tmp_path: Path) -> None:
    first, last, now = _emergency(), _given_up(Boot().of_slot("b"), "deadline"), _now()
    write_journal(tmp_path, [first, last, now])

    trail = read_trail(tmp_path, "b", "", now.boot_id)

    assert trail is not None
    assert [(boot.boot_id, boot.reason) for boot in trail.boots] == [(last.boot_id, "deadline")]


def test_trail_without_a_known_arming_in_the_first_boot_of_all_is_empty(tmp_path: Path) -> None:
    now = _now()
    write_journal(tmp_path, [now])
    trail = read_trail(tmp_path, "b", "", now.boot_id)
    assert trail is not None
    assert trail.boots == ()
    assert read_trail(tmp_path, "b", "", _now().boot_id) is None


def test_reason_counts_only_from_root_and_else_from_the_kernels_log(tmp_path: Path) -> None:
    armed, now = _armed(), _now()
    forged = _given_up(Boot().of_slot("b"), "forged", _UID="1000")
    line = "the boot of slot b has failed (rescue): the node reboots"
    told = Boot().of_slot("b").kernel(line, 3, SYSLOG_IDENTIFIER="puad-boot-failed")
    write_journal(tmp_path, [armed, forged, told, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert [boot.reason for boot in trail.boots] == ["", "rescue"]


def _pstore(boot: Boot, part: int, text: str, *, at: int = 1_795_000_000, uid: str = "0") -> Boot:
    name = f"dmesg-efi_pstore-{(at * 100 + part) * 1000 + 1}"
    content = f"Panic#1 Part{part}\n{text}\n".encode()
    fields: dict[str, Any] = {"SYSLOG_IDENTIFIER": "systemd-pstore", "_UID": uid}
    return boot.log(f"PStore {name}.", FILE=content, **fields)


def test_panic_is_put_together_from_its_pieces_in_a_later_boot(tmp_path: Path) -> None:
    armed, now = _armed(), _now()
    older = "\n".join(f"<6>[    1.{n:06}] line {n}" for n in range(40))
    newer = (
        "<4>[    2.000001] CPU: 0 UID: 0 PID: 1 Comm: init\n"
        "<0>[    2.000002] Kernel panic - not syncing: Attempted to kill init! exitcode=0x100\n"
        "<4>[    2.000003] Kernel Offset: disabled\n"
        "<0>[    2.000004] ---[ end Kernel panic - not syncing: Attempted to kill init! ]---"
    )
    _pstore(now, 1, newer)
    _pstore(now, 2, older)
    _pstore(now, 1, "<0>[    9.000000] Kernel panic - forged", at=1_796_000_000, uid="1000")
    _pstore(now, 1, "<0>[    1.000000] Kernel panic - of another day", at=1_794_000_000)
    write_journal(tmp_path, [armed, now])

    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)

    assert trail is not None
    assert trail.boots == ()
    assert len(trail.panic) == 20
    assert trail.panic[0] == "[ 1.000024] line 24"
    assert trail.panic[-3] == (
        "[ 2.000002] Kernel panic - not syncing: Attempted to kill init! exitcode=0x100"
    )


def test_panic_of_pieces_that_are_none_is_none(tmp_path: Path) -> None:
    armed, now = _armed(), _now()
    fields: dict[str, Any] = {"SYSLOG_IDENTIFIER": "systemd-pstore"}
    now.log("PStore console-ramoops-0.", FILE=b"hello\n", **fields)
    now.log("PStore dmesg-efi_pstore-1.", FILE=b"Shutdown#1 Part1\nbye\n", **fields)
    now.log("PStore dmesg-efi_pstore-2.", **fields)
    now.log("PStore dmesg-efi_pstore-3.", FILE=b"\xff\xfe\x00", **fields)
    write_journal(tmp_path, [armed, now])
    trail = read_trail(tmp_path, "b", armed.boot_id, now.boot_id)
    assert trail is not None
    assert trail.panic == ()
