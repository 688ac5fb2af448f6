# SPDX-License-Identifier: Apache-2.0
"""Waves: who is in which one, when one is over, when the next begins, and when a rollout stops.

Rules:

1. The hosts of a rollout have an order that follows from their ids and the rollout's alone: it is
   another one for each rollout, and the same after a restart. The waves divide it.
2. A wave that has begun gets no more hosts, unless it is the last. Hosts that come later share
   the waves that have not begun with those that are there.
3. A wave is over when each of its hosts has come to its end, by success or failure. Hosts that are
   silent do not hold it up: they follow when they come back. But nothing is known of a wave of
   which no host has come to its end, so it is not over.
4. The next wave begins when the pause has passed since then. An empty wave is passed by.
5. When more hosts of one wave that has begun have failed than the rules allow, the rollout stops.
   Failures in spite of which an operator has resumed it do not count.
6. It is done when every host has come to its end. Hosts that come later take it up again.

Nothing is read or written here; the time comes as an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator_stub.rollouts.rules import RolloutRules
from orchestrator_stub.vocabulary import RolloutState


@dataclass(frozen=True, slots=True)
class Tally:
    """How the hosts of one wave fare.

    Attributes:
        waiting: Those that are not offered the image.
        offered: Those that are, and have not come to their end.
        updated: Those that have succeeded.
        failed: Those that have failed.
        silent: Of the waiting and the offered, those whose node is silent.
        accepted: Of the failed, those in spite of which an operator has resumed the rollout.
    """

    waiting: int = 0
    offered: int = 0
    updated: int = 0
    failed: int = 0
    silent: int = 0
    accepted: int = 0

    @property
    def pending(self) -> int:
        """How many have not come to their end."""
        return self.waiting + self.offered

    @property
    def ended(self) -> int:
        """How many have come to their end."""
        return self.updated + self.failed

    @property
    def hosts(self) -> int:
        """How many there are."""
        return self.pending + self.ended

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.pending == 0 or (self.ended > 0 and self.pending == self.silent)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a rollout has come; the fields are those of its record."""

    state: RolloutState
    wave: int
    wave_start_s: int
    wave_done_s: int = 0
    reason: str = ""
    end_s: int = 0


def count(rules: RolloutRules) -> int:
    """How many waves there are, with the one that the rules leave over."""
    whole = rules.waves[-1].percent == 100  # noqa: PLR2004 - all of them, in percent
    return len(rules.waves) + (0 if whole else 1)


def sizes(rules: RolloutRules, hosts: int) -> tuple[int, ...]:
    """How many of so many hosts are in each wave."""
    found: list[int] = []
    reached = 0
    for wave in rules.waves:
        reaches = max(reached, wave.reaches(hosts))
        found.append(reaches - reached)
        reached = reaches
    if len(found) < count(rules):
        found.append(hosts - reached)
    return tuple(found)


def placed(
    rules: RolloutRules, rollout_id: str, instance_ids: Iterable[str], begun: Sequence[int] = ()
) -> dict[str, int]:
    """The wave of each instance that is in none that has begun.

    Args:
        rules: The rules.
        rollout_id: The rollout, whose order it is.
        instance_ids: The instances.
        begun: How many instances are in each wave that has begun.
    """
    order = sorted(set(instance_ids), key=lambda instance_id: _rank(rollout_id, instance_id))
    wanted = sizes(rules, sum(begun) + len(order))
    place: dict[str, int] = {}
    taken, reached = 0, sum(wanted[: len(begun)])
    for wave in range(len(begun), len(wanted)):
        reached += wanted[wave]
        left = max(0, reached - sum(begun) - taken)
        place.update(dict.fromkeys(order[taken : taken + left], wave))
        taken += left
    place.update(dict.fromkeys(order[taken:], len(wanted) - 1))
    return place


def advance(
    rules: RolloutRules, standing: Standing, tallies: Sequence[Tally], now_s: int
) -> Standing:
    """How far a rollout comes, from how its waves fare; as it was, when there is nothing to do."""
    pending = any(tally.pending for tally in tallies)
    if standing.state is RolloutState.DONE and pending:
        standing = replace(standing, state=RolloutState.RUNNING, reason="", end_s=0)
    if standing.state is not RolloutState.RUNNING:
        return standing
    reason = _stop_reason(rules, tallies[: standing.wave + 1])
    if reason:
        return replace(standing, state=RolloutState.STOPPED, reason=reason, end_s=now_s)
    if pending:
        return _next_wave(rules, standing, tallies, now_s)
    if not any(tally.hosts for tally in tallies):
        return standing
    done_s = standing.wave_done_s or now_s
    return replace(standing, state=RolloutState.DONE, wave_done_s=done_s, end_s=now_s)


def offers(rules: RolloutRules, standing: Standing, tallies: Sequence[Tally]) -> int:
    """To how many waiting hosts of the waves that have begun the image may be offered now."""
    if standing.state is not RolloutState.RUNNING:
        return 0
    waiting = sum(tally.waiting for tally in tallies[: standing.wave + 1])
    if rules.max_at_once is None:
        return waiting
    offered = sum(tally.offered for tally in tallies)
    return min(waiting, max(0, rules.max_at_once - offered))


def _rank(rollout_id: str, instance_id: str) -> tuple[bytes, str]:
    text = f"{rollout_id} {instance_id}"
    return hashlib.blake2b(text.encode(), digest_size=8).digest(), instance_id


def _stop_reason(rules: RolloutRules, begun: Sequence[Tally]) -> str:
    for number, tally in enumerate(begun, start=1):
        counts = tally.failed - tally.accepted
        percent = rules.max_failed_percent
        allowed = ""
        if rules.max_failed is not None and counts > rules.max_failed:
            allowed = f"{rules.max_failed}"
        elif percent is not None and counts * 100 > percent * tally.hosts:
            allowed = f"{percent} %"
        if allowed:
            hosts = f"{tally.hosts} {'host' if tally.hosts == 1 else 'hosts'}"
            return f"{counts} of {hosts} of wave {number} failed; the policy allows {allowed}"
    return ""


def _next_wave(
    rules: RolloutRules, standing: Standing, tallies: Sequence[Tally], now_s: int
) -> Standing:
    last = len(tallies) - 1
    while standing.wave < last and tallies[standing.wave].is_over:
        if tallies[standing.wave].hosts:
            standing = replace(standing, wave_done_s=standing.wave_done_s or now_s)
            if now_s < standing.wave_done_s + rules.pause_seconds:
                return standing
        standing = replace(standing, wave=standing.wave + 1, wave_start_s=now_s, wave_done_s=0)
    return standing
