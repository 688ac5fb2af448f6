# SPDX-License-Identifier: Apache-2.0
"""The rules of a verdict: when a boot is good, and when a bad one may be left by a reboot.

Rules (docs/architecture.md, "One verdict, one order"):

1. A boot is good when every required probe passed. A wanted one is only reported.
2. What is missing speaks against the boot: a required probe without a result has failed, and a
   boot for which nothing is required is not good.
3. A slot that is marked good is not assessed again.
4. A bad boot is left by a reboot only if the booted slot is not good and another slot is. How
   many tries are left does not matter: on the last one the counter says 0 already.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from puad.core.model import Assessment, ProbeResult, Slot, Verdict
from puad.core.printable import printable

NOTHING_REQUIRED: Final = "required-probes"
_MAX_REASON: Final = 512
_MAX_REBOOT_REASON: Final = 180  # boot control takes 200 characters


def complete(results: Sequence[ProbeResult], required: Collection[str]) -> tuple[ProbeResult, ...]:
    """The results, and a failed one for whatever is missing.

    Args:
        results: What the probes found.
        required: Names of the probes that the configuration requires.
    """
    answered = {result.name for result in results if result.required}
    missing = [
        ProbeResult(name, required=True, passed=False, reason="it left no result")
        for name in required
        if name not in answered
    ]
    whole = (*results, *missing)
    if any(result.required for result in whole):
        return whole
    nothing = ProbeResult(
        NOTHING_REQUIRED, required=True, passed=False, reason="no probe is required of this boot"
    )
    return (*whole, nothing)


def is_good(results: Collection[ProbeResult]) -> bool:
    """Whether the results make a boot good."""
    required = [result for result in results if result.required]
    return bool(required) and all(result.passed for result in required)


def is_settled(slots: Collection[Slot], booted: str) -> bool:
    """Whether the booted slot is marked good already."""
    return any(slot.name == booted and slot.assessment is Assessment.GOOD for slot in slots)


def may_reboot(slots: Collection[Slot], booted: str) -> bool:
    """Whether a reboot may lead from a bad boot to a good slot."""
    others = [slot for slot in slots if slot.name != booted]
    known = len(others) < len(slots)
    good_other = any(slot.assessment is Assessment.GOOD for slot in others)
    return known and not is_settled(slots, booted) and good_other


def why_bad(verdict: Verdict) -> str:
    """The required probes that failed and their reasons, in one line."""
    reasons = [f"{probe.name}: {probe.reason}" for probe in verdict.failed_required]
    return " ".join("; ".join(reasons).split())[:_MAX_REASON]


def reboot_reason(verdict: Verdict) -> str:
    """Why the node leaves this boot, short and printable, as boot control wants it."""
    return _shown(f"puad-health: {why_bad(verdict)}", _MAX_REBOOT_REASON)


def why_failed(probe: ProbeResult) -> str:
    """Why a probe failed, and the last line that it printed, in one line."""
    lines = map(str.strip, reversed(probe.log_tail.split("\n")))
    said = next(filter(None, lines), "")
    return _shown(f"{probe.reason}: {said}" if said else probe.reason, _MAX_REASON)


def _shown(text: str, most: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
