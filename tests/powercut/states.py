# SPDX-License-Identifier: Apache-2.0
"""The states that a power cut may leave, enumerated from a recording.

At a write that meets ESP, partition table or persistent partition, everything before the last flush
is on the medium. Of what was written since, any subset may be:

- `kept`: all of it.
- `dropped`: all but that write.
- `torn`: all, and of that write only its first or last sectors of 512 bytes.
- `subset-0` to `subset-15`: each unflushed write by chance, that write among them.

Writes to the slots are points of their own only now and then, but always part of the subsets. A
state that comes out twice is counted once. Chance is a function of the seed and the state's name,
so that one name and one seed give one state, for ever.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.powercut.recording import ESP, TABLE, Recording

SUBSETS: Final = 16
SLOT_SAMPLES: Final = 24
VARIANTS: Final = (
    *("kept", "dropped", "torn"),
    *(f"subset-{number}" for number in range(SUBSETS)),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A request of which the medium holds the sectors from `first` up to `last`, not included."""

    index: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class State:
    """What the medium holds after a power cut.

    Attributes:
        point: Index of the last request that the disk has taken.
        variant: Which of the things that may happen then.
        flushed: Requests before this index are all on the medium.
        kept: What is there of the others.
    """

    point: int
    variant: str
    flushed: int
    kept: tuple[Kept, ...]

    @property
    def name(self) -> str:
        """How it is asked for again."""
        return f"{self.point}:{self.variant}"


class Enumerator:
    """Gives the states of one recording.

    Args:
        recording: The recording.
        seed: Where chance begins.
    """

    def __init__(self, recording: Recording, seed: int) -> None:
        self._recording = recording
        self._seed = seed
        self._flushed: list[int] = []
        last = 0
        for index, request in enumerate(recording.requests):
            self._flushed.append(last)
            if request.is_flush:
                last = index + 1 if not request.is_write else index

    def points(self) -> list[int]:
        """The requests at which the power is cut."""
        slot_writes: list[int] = []
        points: list[int] = []
        for index, request in enumerate(self._recording.requests):
            if not request.is_write:
                continue
            where = self._recording.region_of(request)
            (slot_writes if where in {"a", "b"} else points).append(index)
        step = max(1, len(slot_writes) // SLOT_SAMPLES)
        return sorted(points + slot_writes[::step])

    def all(self) -> Iterator[State]:
        """Every state, each once."""
        seen: set[tuple[int, tuple[Kept, ...]]] = set()
        for point in self.points():
            for variant in VARIANTS:
                state = self.state(point, variant)
                content = (state.flushed, state.kept)
                if content not in seen:
                    seen.add(content)
                    yield state

    def some(self, most: int) -> list[State]:
        """At most so many states by chance; half of them, if there are as many, off persist.

        ESP and partition table are written seldom, and what is written there decides what boots.
        """
        requests = self._recording.requests
        seldom, often = list[State](), list[State]()
        for state in self.all():
            where = self._recording.region_of(requests[state.point])
            (seldom if where in {ESP, TABLE} else often).append(state)
        chance = random.Random(f"{self._seed}:{self._recording.name}")
        for group in (seldom, often):
            chance.shuffle(group)
        half = max(most // 2, most - len(often))
        first = seldom[:half]
        chosen = [*first, *often[: most - len(first)]]
        return sorted(chosen, key=lambda state: (state.point, state.variant))

    def state(self, point: int, variant: str) -> State:
        """The state of that name."""
        requests = self._recording.requests
        flushed = self._flushed[point]
        pending = [i for i in range(flushed, point + 1) if requests[i].is_write]
        chance = random.Random(f"{self._seed}:{self._recording.name}:{point}:{variant}")
        if variant == "dropped":
            chosen = {index for index in pending if index != point or requests[index].is_durable}
        elif variant.startswith("subset-"):
            odds = chance.choice((0.2, 0.5, 0.8))
            chosen = {i for i in pending if requests[i].is_durable or chance.random() < odds}
        else:
            chosen = set(pending)
        kept = []
        for index in pending:
            first, last = 0, requests[index].sectors
            if variant == "torn" and index == point and last > 1:
                cut = chance.randrange(1, last)
                first, last = (0, cut) if chance.random() < 0.5 else (cut, last)
            if index in chosen:
                kept.append(Kept(index, first, last))
        return State(point, variant, flushed, tuple(kept))
