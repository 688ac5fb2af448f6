# SPDX-License-Identifier: Apache-2.0
"""The form of a new OS update policy, read by the rules of protocol.md §5. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from orchestrator_stub import names
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.rollouts.rules import MAX_HOSTS, RolloutRules
from orchestrator_stub.vocabulary import PolicyKind
from orchestrator_stub.web.forms import Form

DESCRIPTION_CHARS: Final = 200
_HOUR_S: Final = 3600
_MOST_HOURS: Final = 24 * 30
_SHARE_DIGITS: Final = 3
_DIVIDER: Final = re.compile(r"[\s,;%]+")


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A policy to make; `target_os_id` is empty for the latest."""

    name: str
    description: str
    kind: PolicyKind
    target_os_id: str
    rollout: dict[str, Any]


def read(form: Form) -> NewPolicy:
    """What the form asks for.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, naming the field and its rule.
    """
    name = form.text("name", "Name", names.MAX_CHARS)
    if not name:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "Name: it is needed")
    kind = form.word("kind", PolicyKind, "Update")
    target = form.text("target") if kind is PolicyKind.TARGET else ""
    if kind is PolicyKind.UNSPECIFIED:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "Update: choose latest or target")
    if kind is PolicyKind.TARGET and not target:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "Target: choose an OS resource")
    return NewPolicy(
        name=name,
        description=form.text("description", "Description", DESCRIPTION_CHARS),
        kind=kind,
        target_os_id=target,
        rollout=_rules(form).stored() if form.ticked("in_waves") else {},
    )


def _rules(form: Form) -> RolloutRules:
    words = [word for word in _DIVIDER.split(form.text("waves", "Waves")) if word]
    if not words:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, "Waves: name at least one share of the hosts, such as 5, 25, 100"
        )
    if not all(word.isascii() and word.isdigit() and len(word) <= _SHARE_DIGITS for word in words):
        raise OrchestratorError(Code.INVALID_ARGUMENT, "Waves: shares in per cent, such as 5, 25")
    hours = _optional(form, "pause", "Pause between waves", 0, _MOST_HOURS)
    limits = {
        "maxFailed": _optional(form, "max_failed", "Failed hosts", 0, MAX_HOSTS),
        "maxFailedPercent": _optional(form, "max_failed_percent", "Failed share", 0, 99),
        "maxAtOnce": _optional(form, "max_at_once", "Hosts at once", 1, MAX_HOSTS),
    }
    rules: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    rules["waves"] = [{"percent": int(word)} for word in words]
    rules["pauseSeconds"] = (hours or 0) * _HOUR_S
    return RolloutRules.load(rules)


def _optional(form: Form, name: str, label: str, least: int, most: int) -> int | None:
    return form.number(name, label, least, most) if form.text(name) else None
