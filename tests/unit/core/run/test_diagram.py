# SPDX-License-Identifier: Apache-2.0
"""The state diagram in the documentation is the one that the table draws."""

from __future__ import annotations

from pathlib import Path

from puad.core.diagram import to_mermaid

ARCHITECTURE = Path(__file__).parents[4] / "docs" / "architecture.md"


def test_documented_diagram_is_drawn_from_the_table() -> None:
    drawn = ARCHITECTURE.read_text("utf-8").partition("```mermaid\nstateDiagram-v2")[2]
    drawn = drawn.partition("```")[0]

    assert "stateDiagram-v2" + drawn == to_mermaid()


def test_each_state_but_the_first_is_reached() -> None:
    reached = {line.split()[2].rstrip(":") for line in to_mermaid().splitlines()[1:]}

    assert len(reached) == 8
