# SPDX-License-Identifier: Apache-2.0
"""What the code, its tests and the documents refer to in docs/ is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROGRAMS = ("puad", "bootloader", "orchestrator_stub")
CODE = sorted(path for name in (*PROGRAMS, "tests") for path in (ROOT / name).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
SECTION = re.compile(r"§(\d+[a-z]?)")
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)")


def anchor(heading: str) -> str:
    """A heading's anchor, as a forge makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def prose(document: Path) -> str:
    text = document.read_text("utf-8")
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)", prose(document), re.MULTILINE)}


def test_sections_of_the_protocol_that_the_code_cites_are_there() -> None:
    text = (DOCS / "protocol.md").read_text("utf-8")
    there = set(re.findall(r"^#+ §(\S+)", text, re.MULTILINE))
    cited: set[str] = set()
    for path in CODE:
        for line in re.findall(r"protocol\.md ([^)\n]*)", path.read_text("utf-8")):
            cited |= set(SECTION.findall(line))
    assert len(cited) > 5
    assert cited <= there


def test_invariants_that_are_cited_are_there() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    section = text.split("\n## Invariants\n")[1].split("\n## ")[0]
    there = set(re.findall(r"^(\d+)\. ", section, re.MULTILINE))
    cited: set[str] = set()
    for path in [*CODE, *DOCUMENTS]:
        found = re.findall(r"\binvariants? (\d+(?:(?:, | and )\d+)*)", path.read_text("utf-8"))
        cited |= {number for numbers in found for number in re.findall(r"\d+", numbers)}
    assert len(cited) > 5
    assert cited <= there


def test_documents_that_the_code_names_are_there() -> None:
    named = {name for path in CODE for name in re.findall(r"\bdocs/[\w/.-]*\w", path.read_text())}
    whole = {name for name in named if name.endswith(".md")}
    assert [name for name in whole if not (ROOT / name).exists()] == []
    decisions = {name for name in named if re.fullmatch(r"docs/adr/\d{4}", name)}
    assert [name for name in decisions if not list(ROOT.glob(f"{name}-*.md"))] == []


def test_units_that_are_shipped_are_in_the_table() -> None:
    table = (DOCS / "packages.md").read_text("utf-8").split("\n## Units\n")[1].split("\n## ")[0]
    rows = set(re.findall(r"`([^` ]+\.(?:service|timer|mount))`", table))
    kinds = {".service", ".timer", ".mount"}
    shipped = {path.name for path in (ROOT / "systemd").iterdir() if path.suffix in kinds}
    assert len(shipped) > 15
    assert shipped <= rows


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(path: Path) -> None:
    for target, heading in LINK.findall(prose(path)):
        if "://" in target:
            continue
        other = path.parent / target if target else path
        assert other.exists(), target
        assert not heading or heading in anchors(other), f"{target}#{heading}"
