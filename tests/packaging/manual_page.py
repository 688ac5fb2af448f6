# SPDX-License-Identifier: Apache-2.0
"""A manual page as its tags: what stands under which heading, as plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "packaging" / "man"

_ESCAPES: Final = {
    r"\-": "-",
    r"\(dq": '"',
    r"\(aq": "'",
    r"\(ga": "`",
    r"\(lB": "[",
    r"\(rB": "]",
    r"\e": "\\",
}
_QUOTED: Final = re.compile(r'"([^"]*)"|(\S+)')
_FONTS: Final = re.compile(r"\\f[A-Z]")
_SINGLE: Final = ("B", "I")
_ALTERNATING: Final = ("BR", "BI", "IR", "RB", "RI", "IB")


@dataclass(frozen=True, slots=True)
class Entry:
    """One tagged paragraph: the headings it stands under, its tag, its text."""

    section: str
    subsection: str
    tag: str
    text: str

    @property
    def options(self) -> frozenset[str]:
        """The option words of the tag; empty when it describes something else."""
        words = (word.strip() for word in self.tag.split(","))
        return frozenset(re.split(r"[ =]", word)[0] for word in words if word.startswith("-"))


class Page:
    """A page of packaging/man."""

    def __init__(self, name: str) -> None:
        self.path = FOLDER / name
        self.entries: list[Entry] = []
        self.text: dict[str, str] = {}
        self.subsections: dict[str, list[str]] = {}
        self._read(self.path.read_text().splitlines())

    def in_section(self, section: str) -> list[Entry]:
        """The tagged paragraphs of a section."""
        return [entry for entry in self.entries if entry.section == section]

    def keys(self, section: str) -> dict[str, dict[str, Entry]]:
        """Configuration keys of a section, by subsection and name."""
        found: dict[str, dict[str, Entry]] = {}
        for entry in self.in_section(section):
            if entry.subsection:
                key = entry.tag.split(" = ")[0]
                found.setdefault(entry.subsection.strip("[]"), {})[key] = entry
        return found

    def _read(self, lines: list[str]) -> None:
        section = subsection = tag = ""
        awaits_tag = False
        for line in lines:
            macro, _, rest = line.partition(" ")
            plain = plain_text(line)
            if macro == ".SH":
                section, subsection, tag = plain_text(rest), "", ""
            elif macro == ".SS":
                subsection, tag = plain_text(rest), ""
                self.subsections.setdefault(section, []).append(subsection)
            elif macro == ".TP":
                awaits_tag = True
            elif awaits_tag:
                awaits_tag, tag = False, plain
                self.entries.append(Entry(section, subsection, tag, ""))
            elif macro == ".PP":
                tag = ""
            elif plain:
                self._add(section, subsection, tag, plain)

    def _add(self, section: str, subsection: str, tag: str, text: str) -> None:
        heading = subsection or section
        self.text[heading] = f"{self.text.get(heading, '')} {text}".strip()
        if tag:
            last = self.entries[-1]
            joined = f"{last.text} {text}".strip()
            self.entries[-1] = Entry(last.section, last.subsection, last.tag, joined)


def plain_text(line: str) -> str:
    """A line of source without fonts, macros and escapes; empty for a comment or a lone macro."""
    if line.startswith(('.\\"', "'")):
        return ""
    if line.startswith("."):
        macro, _, rest = line[1:].partition(" ")
        words = [quoted or bare for quoted, bare in _QUOTED.findall(rest)]
        if macro in _SINGLE:
            line = " ".join(words)
        elif macro in _ALTERNATING:
            line = "".join(words)
        else:
            return ""
    line = _FONTS.sub("", line)
    for escape, character in _ESCAPES.items():
        line = line.replace(escape, character)
    return line
