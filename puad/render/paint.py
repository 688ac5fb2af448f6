# SPDX-License-Identifier: Apache-2.0
"""Paint: the few colours of human text, or none of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints words by their meaning; without colour it leaves them as they are."""

    colour: bool = False

    def strong(self, text: str) -> str:
        """A heading, or the word that matters."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """What is there for completeness."""
        return self._paint("2", text)

    def good(self, text: str) -> str:
        """What is as it should be."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """What is wrong."""
        return self._paint("31", text)

    def waiting(self, text: str) -> str:
        """What is on its way or not yet known."""
        return self._paint("33", text)

    def _paint(self, sequence: str, text: str) -> str:
        return f"\x1b[{sequence}m{text}\x1b[0m" if self.colour and text else text


def visible_length(text: str) -> int:
    """How many columns a painted text takes."""
    return len(_SEQUENCE.sub("", text))
