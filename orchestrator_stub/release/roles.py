# SPDX-License-Identifier: Apache-2.0
"""The four roles of a repository: how many keys each has, and how long its word holds.

Defaults and their reasons stand in `docs/releases.md`. The root role has three keys of which two
must sign: one may be lost, and one may be stolen, without harm to the fleet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from orchestrator_stub.duration import HOW_TO_WRITE, parse_duration
from orchestrator_stub.release.errors import UsageError

MAX_KEYS: Final = 16
MAX_VALIDITY: Final = timedelta(days=3650)
MIN_VALIDITY: Final = timedelta(seconds=1)


class Role(StrEnum):
    """Who signs what, named as in TUF."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


# The roles whose documents name one another, in the order of signing.
CHAIN: Final = (Role.TARGETS, Role.SNAPSHOT, Role.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class RolePlan:
    """How a role is set up: its number of keys, how many must sign, and how long that holds."""

    key_count: int
    threshold: int
    validity: timedelta


DEFAULT_PLANS: Final[Mapping[Role, RolePlan]] = {
    Role.ROOT: RolePlan(3, 2, timedelta(days=365)),
    Role.TARGETS: RolePlan(1, 1, timedelta(days=90)),
    Role.SNAPSHOT: RolePlan(1, 1, timedelta(days=7)),
    Role.TIMESTAMP: RolePlan(1, 1, timedelta(days=1)),
}


def plan_roles(
    key_counts: Iterable[str], thresholds: Iterable[str], validities: Iterable[str]
) -> dict[Role, RolePlan]:
    """The set-up of each role from `role=value` words, with defaults for the rest.

    Neither number is ever changed to fit the other one.

    Raises:
        UsageError: When a word cannot be read, asks for more signatures than keys, or lets one
            root key alone sign without naming both numbers.
    """
    counts = {role: _number(role, value) for role, value in _pairs(key_counts).items()}
    needed = {role: _number(role, value) for role, value in _pairs(thresholds).items()}
    valid = {role: parse_validity(value) for role, value in _pairs(validities).items()}
    plans = {}
    for role, default in DEFAULT_PLANS.items():
        threshold = needed.get(role, default.threshold)
        count = counts.get(role, default.key_count)
        if threshold > count:
            raise _too_few_keys(role, count, threshold, threshold_given=role in needed)
        if role is Role.ROOT and threshold == 1 and role not in counts:
            raise UsageError(
                "one root key alone could replace every key of the repository",
                on=f"--threshold {role}=1",
                hint=f"If that is meant, say with how many keys: --key-count {role}={count}.",
            )
        plans[role] = RolePlan(count, threshold, valid.get(role, default.validity))
    return plans


def parse_validity(text: str) -> timedelta:
    """How long something holds, written as `orchestrator_stub.duration` says.

    Raises:
        UsageError: When it is no duration, or longer than ten years.
    """
    try:
        span = parse_duration(text)
    except ValueError:
        span = timedelta()
    if not MIN_VALIDITY <= span <= MAX_VALIDITY:
        raise UsageError(
            "this is not a duration between a second and ten years",
            on=text,
            hint=f"Write {HOW_TO_WRITE}.",
        )
    return span


def is_near(expires: datetime, validity: timedelta, now: datetime, *, part: int) -> bool:
    """Whether less than the `part`-th part of a validity is left."""
    return expires - now < validity / part


def _too_few_keys(role: Role, count: int, threshold: int, *, threshold_given: bool) -> UsageError:
    if threshold_given:
        on = f"--threshold {role}={threshold}"
        hint = f"Make more keys with --key-count {role}={threshold}, or lower the threshold."
    else:
        on = f"--key-count {role}={count}"
        hint = f"Say how many must sign with --threshold {role}={count}, or make more keys."
    what = f"{threshold} keys of role {role} must sign, but it would have {count}"
    return UsageError(what, on=on, hint=hint)


def _pairs(words: Iterable[str]) -> dict[Role, str]:
    pairs = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in set(Role):
            raise UsageError(
                "this does not name a role",
                on=word,
                hint=f"Write ROLE=VALUE with one of {', '.join(Role)}.",
            )
        pairs[Role(name)] = value
    return pairs


def _number(role: Role, text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MAX_KEYS:
        raise UsageError(f"{role} needs a number from 1 to {MAX_KEYS}", on=f"{role}={text}")
    return int(text)
