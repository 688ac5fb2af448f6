# SPDX-License-Identifier: Apache-2.0
"""The roll: which nodes a simulator process plays, as a file; it holds their tokens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from puad.core.run import Rules
from tests.simulator.characters import Character, Characters, Flaw
from tests.simulator.connection import Origin
from tests.simulator.fleet import Fleet, Identity, make_node
from tests.simulator.pace import RULES, Mishaps, Pace, Range


@dataclass(frozen=True, slots=True)
class Part:
    """What one node plays.

    Attributes:
        identity: Who it is.
        poll_s: Time between two polls.
        download_s: How long its downloads take.
        lost: On which share of its downloads the release service cannot be reached, 0..1.
        attempts: Downloads that one run may begin.
        download_window_s: How long before a maintenance window its download may begin.
    """

    identity: Identity
    poll_s: float = 20.0
    download_s: Range = (5.0, 60.0)
    lost: float = 0.0
    attempts: int = 8
    download_window_s: float = 0.0

    @property
    def pace(self) -> Pace:
        """How it lives."""
        return Pace(
            poll_s=self.poll_s,
            first_poll_within_s=self.poll_s,
            download_s=self.download_s,
            mishaps=Mishaps(lost=self.lost),
        )

    @property
    def rules(self) -> Rules:
        """What its configuration allows."""
        window = timedelta(seconds=self.download_window_s)
        return replace(RULES, attempts=self.attempts, download_window=window)

    @classmethod
    def load(cls, entry: dict[str, Any]) -> Self:
        """The part that an entry of the file describes."""
        shortest_s, longest_s = entry.pop("download_s")
        identity = Identity(**entry.pop("identity"))
        return cls(identity, download_s=(shortest_s, longest_s), **entry)


@dataclass(frozen=True, slots=True)
class Roll:
    """Everybody who plays, against which orchestrator, and which images have which flaw."""

    url: str
    ca_file: str = ""
    parts: tuple[Part, ...] = ()
    flaws: dict[str, Character] = field(default_factory=dict)

    def fleet(self) -> Fleet:
        """The nodes, switched off."""
        characters = Characters({image: Flaw(flaw) for image, flaw in self.flaws.items()})
        origin = Origin.of(self.url, Path(self.ca_file) if self.ca_file else None)
        return Fleet(
            [
                make_node(part.identity, origin, part.pace, characters, rules=part.rules)
                for part in self.parts
            ]
        )

    def write(self, file: Path) -> None:
        """Write it, for its owner alone."""
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what `write` has written."""
        document = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            url=document["url"],
            ca_file=document["ca_file"],
            parts=tuple(Part.load(entry) for entry in document["parts"]),
            flaws={image: Character(flaw) for image, flaw in document["flaws"].items()},
        )
