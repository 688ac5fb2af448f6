# SPDX-License-Identifier: Apache-2.0
"""Tables of human text: columns as wide as their widest cell, the last one wrapped."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from puad.render.paint import Paint, visible_length

_GAP: Final = "  "
_LEAST: Final = 20


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, paint: Paint
) -> list[str]:
    """The lines of a table; a last cell, unpainted, that does not fit goes on below itself."""
    rows_lines = table_rows(headings, rows, width=width, paint=paint)
    return [line for lines in rows_lines for line in lines]


def table_rows(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, paint: Paint
) -> list[list[str]]:
    """The lines of a table, the heading's and then each row's by themselves."""
    heading = [*(paint.strong(word) for word in headings[:-1]), headings[-1]]
    widths = [
        max(visible_length(row[column]) for row in (heading, *rows))
        for column in range(len(headings) - 1)
    ]
    left = sum(widths) + len(_GAP) * len(widths)
    rows_lines = []
    for row in (heading, *rows):
        lines = []
        *cells, last = row
        wrapped = wrap(last, max(_LEAST, width - left))
        for first, text in zip_longest([cells], wrapped, fillvalue=[""] * len(cells)):
            padded = [_padded(cell, size) for cell, size in zip(first, widths, strict=True)]
            lines.append(_GAP.join([*padded, str(text)]).rstrip())
        rows_lines.append(lines)
    return rows_lines


def wrap(text: str, width: int) -> list[str]:
    """The lines of an unpainted text, at least one; names are never broken."""
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def _padded(text: str, size: int) -> str:
    return text + " " * (size - visible_length(text))
