# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from puad.core.errors import Code, StorageError
from puad.core.model import ProbeResult, Verdict
from puad.store import Store
from puad.store.verdict_document import dump_verdict

_VERDICT = Verdict(
    boot_id="b1",
    slot="b",
    image_id="13.2",
    good=False,
    probes=(
        ProbeResult("systemd", required=True, passed=True, seconds=0.25),
        ProbeResult("orchestrator", required=False, passed=False, reason="no", log_tail="x\ny"),
    ),
    finished_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    profile="edge",
)


def test_verdict_written_is_read_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read_verdict() is None
    store.write_verdict(_VERDICT)
    assert store.read_verdict() == _VERDICT


def test_verdict_of_a_newer_puad_is_read_for_what_is_known(tmp_path: Path) -> None:
    document = dump_verdict(_VERDICT) | {"schema": 9, "mood": "fair"}
    document["probes"] = [{"name": "quantum", "confidence": 3}]
    (tmp_path / "verdict.json").write_text(json.dumps(document))
    verdict = Store(tmp_path).read_verdict()
    assert verdict is not None
    assert verdict.good is False
    # a probe whose outcome cannot be read has not passed
    assert verdict.profile == "edge"
    assert verdict.probes == (ProbeResult("quantum", required=False, passed=False),)


def test_verdict_of_an_older_puad_names_no_profile(tmp_path: Path) -> None:
    document = dump_verdict(_VERDICT)
    del document["profile"]
    (tmp_path / "verdict.json").write_text(json.dumps(document))
    verdict = Store(tmp_path).read_verdict()
    assert verdict is not None
    assert verdict.profile == ""


@pytest.mark.parametrize(
    "change",
    [
        {"boot_id": None},
        {"good": "yes"},
        {"good": 1},
        {"slot": 2},
        {"finished_at": "2026-11-23T10:00:00"},
        {"finished_at": "yesterday"},
        {"finished_at": 7},
        {"probes": {}},
        {"probes": ["systemd"]},
        {"probes": [{"required": True}]},
        {"probes": [{"name": "x", "passed": "yes"}]},
        {"probes": [{"name": "x", "seconds": "7"}]},
        {"probes": [{"name": "x", "seconds": float("inf")}]},
        {"probes": [{"name": "x", "seconds": float("nan")}]},
        {"probes": [{"name": "x", "seconds": 10**400}]},
        {"probes": [{"name": "x"}] * 513},
        {"finished_at": "0001-01-01T00:00:00+14:00"},
        {"boot_id": ["b1"]},
    ],
)
def test_verdict_of_wrong_form_is_unreadable(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "verdict.json").write_text(json.dumps(dump_verdict(_VERDICT) | change))
    with pytest.raises(StorageError) as caught:
        Store(tmp_path).read_verdict()
    assert caught.value.code is Code.STATE_UNREADABLE


def test_verdict_that_is_forged_cannot_flood_or_break_who_reads_it(tmp_path: Path) -> None:
    """Whoever takes the health process over may write what it likes, but no more than this."""
    probe = {"name": "n" * 999, "required": True, "reason": "\ud800\x1b[2J" + "r" * 9999}
    forged = dump_verdict(_VERDICT) | {"slot": "b\x00", "image_id": "2" * 9999, "probes": [probe]}
    (tmp_path / "verdict.json").write_text(json.dumps(forged))
    verdict = Store(tmp_path).read_verdict()
    assert verdict is not None
    (read,) = verdict.probes
    assert (len(verdict.image_id), len(read.name), len(read.reason)) == (128, 128, 512)
    for text in (verdict.slot, verdict.image_id, read.name, read.reason):
        assert text.isprintable()
        assert text.encode()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\0" * 512, b"\xff\xfe{}", b"[" * 9999]
)
def test_verdict_that_is_torn_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "verdict.json").write_bytes(content)
    with pytest.raises(StorageError):
        Store(tmp_path).read_verdict()


def test_verdict_that_is_no_file_of_its_own_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(dump_verdict(_VERDICT)))
    (tmp_path / "verdict.json").symlink_to("elsewhere")
    with pytest.raises(StorageError):
        Store(tmp_path).read_verdict()
