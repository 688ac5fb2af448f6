# SPDX-License-Identifier: Apache-2.0
"""The verdict as a stored document, and back.

The health process of one release writes it and puad of another may read it after a fallback, so
reading takes no more than it needs: unknown keys are ignored, and of a probe only its name must be
there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from puad.core.model import ProbeResult, Verdict

SCHEMA: Final = 1


def dump_verdict(verdict: Verdict) -> dict[str, Any]:
    """The document of a verdict."""
    return {
        "schema": SCHEMA,
        "boot_id": verdict.boot_id,
        "slot": verdict.slot,
        "image_id": verdict.image_id,
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
    return Verdict(
        boot_id=_take(document, "boot_id", str),
        slot=_take(document, "slot", str),
        image_id=_take(document, "image_id", str),
        good=_take(document, "good", bool),
        probes=tuple(_parse_probe(row) for row in _take(document, "probes", list)),
        finished_at=finished_at,
    )


def _parse_probe(row: object) -> ProbeResult:
    if not isinstance(row, dict):
        raise ValueError("a probe is not an object")  # noqa: TRY004 - data, not a wrong call
    return ProbeResult(
        name=_take(row, "name", str),
        required=_take(row, "required", bool, default=False),
        passed=_take(row, "passed", bool, default=False),
        reason=_take(row, "reason", str, default=""),
        log_tail=_take(row, "log_tail", str, default=""),
        seconds=float(_take(row, "seconds", (int, float), default=0.0)),
    )


def _take(
    document: dict[str, Any], key: str, kind: type | tuple[type, ...], *, default: object = None
) -> Any:  # noqa: ANN401 - of the kind that is asked for
    value = document.get(key, default)
    if not isinstance(value, kind):
        raise ValueError(f"{key} is missing or of another type")  # noqa: TRY004 - data, as above
    return value
