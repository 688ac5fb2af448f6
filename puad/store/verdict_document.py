# SPDX-License-Identifier: Apache-2.0
"""The verdict as a stored document, and back.

The health process of one release writes it and puad of another may read it after a fallback, so
reading takes no more than it needs: unknown keys are ignored, and of a probe only its name must be
there. It is another user's file, too: text is cut and cleaned of what a document, the bus or a
terminal could not carry, and a time that UTC does not have makes it unreadable.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

from puad.core.model import ProbeResult, Verdict
from puad.core.printable import printable

SCHEMA: Final = 1
_MOST_NAME: Final = 128
_MOST_REASON: Final = 512
_MOST_TAIL: Final = 64 << 10
_MOST_PROBES: Final = 512


def dump_verdict(verdict: Verdict) -> dict[str, Any]:
    """The document of a verdict."""
    return {
        "schema": SCHEMA,
        "boot_id": verdict.boot_id,
        "slot": verdict.slot,
        "image_id": verdict.image_id,
        "profile": verdict.profile,
        "good": verdict.good,
        "finished_at": verdict.finished_at.isoformat(),
        "probes": [
            {
                "name": probe.name,
                "required": probe.required,
                "passed": probe.passed,
                "reason": probe.reason,
                "log_tail": probe.log_tail,
                "seconds": round(probe.seconds, 3),
            }
            for probe in verdict.probes
        ],
    }


def parse_verdict(document: dict[str, Any]) -> Verdict:
    """The verdict of a document.

    Raises:
        ValueError: When a key is missing or has a value of another type.
    """
    finished_at = datetime.fromisoformat(_take(document, "finished_at", str))
    if finished_at.tzinfo is None:
        raise ValueError("finished_at has no time zone")
    try:
        finished_at = finished_at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("finished_at is no time of UTC") from error
    rows = _take(document, "probes", list)
    if len(rows) > _MOST_PROBES:
        raise ValueError(f"it names more than {_MOST_PROBES} probes")
    return Verdict(
        boot_id=_text(document, "boot_id", _MOST_NAME),
        slot=_text(document, "slot", _MOST_NAME),
        image_id=_text(document, "image_id", _MOST_NAME),
        good=_take(document, "good", bool),
        probes=tuple(_parse_probe(row) for row in rows),
        finished_at=finished_at,
        profile=_text(document, "profile", _MOST_NAME, default=""),
    )


def _parse_probe(row: object) -> ProbeResult:
    if not isinstance(row, dict):
        raise ValueError("a probe is not an object")  # noqa: TRY004 - data, not a wrong call
    return ProbeResult(
        name=_text(row, "name", _MOST_NAME),
        required=_take(row, "required", bool, default=False),
        passed=_take(row, "passed", bool, default=False),
        reason=_text(row, "reason", _MOST_REASON, default=""),
        log_tail=_text(row, "log_tail", _MOST_TAIL, default=""),
        seconds=_seconds(row),
    )


def _seconds(row: dict[str, Any]) -> float:
    try:
        seconds = float(_take(row, "seconds", (int, float), default=0.0))
    except OverflowError as error:
        raise ValueError("seconds is no number of seconds") from error
    if not math.isfinite(seconds):
        raise ValueError("seconds is no number of seconds")
    return seconds


def _text(document: dict[str, Any], key: str, most: int, *, default: str | None = None) -> str:
    text: str = _take(document, key, str, default=default)
    return printable(text[:most], kept="\n\t")


def _take(
    document: dict[str, Any], key: str, kind: type | tuple[type, ...], *, default: object = None
) -> Any:  # noqa: ANN401 - of the kind that is asked for
    value = document.get(key, default)
    if not isinstance(value, kind):
        raise ValueError(f"{key} is missing or of another type")  # noqa: TRY004 - data, as above
    return value
