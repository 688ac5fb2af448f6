# SPDX-License-Identifier: Apache-2.0
"""The state diagram, drawn from the transition table so that it cannot drift from it."""

from __future__ import annotations

from puad.core import rules
from puad.core.run import State
from puad.core.table import TABLE

__all__ = ["rules", "to_mermaid"]


def to_mermaid() -> str:
    """The diagram as Mermaid text: one arrow for each pair of states, labelled with its events."""
    arrows: dict[tuple[State, State], set[str]] = {}
    for (source, event), row in TABLE.items():
        for target in row.targets - {source}:
            arrows.setdefault((source, target), set()).add(event.__name__)
    order = list(State)
    lines = ["stateDiagram-v2", f"    [*] --> {State.IDLE}"]
    for source, target in sorted(arrows, key=lambda pair: [order.index(state) for state in pair]):
        lines.append(f"    {source} --> {target}: {', '.join(sorted(arrows[source, target]))}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(to_mermaid(), end="")  # noqa: T201 - the program prints the diagram
