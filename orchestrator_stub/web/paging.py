# SPDX-License-Identifier: Apache-2.0
"""Pages of a long list, and the addresses of the same list seen in another way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Query

SIZES: Final = (50, 100)
MAX_NUMBER: Final = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is shown; `number` counts from 1."""

    number: int = 1
    size: int = SIZES[0]

    @property
    def offset(self) -> int:
        """How many rows stand before it."""
        return (self.number - 1) * self.size

    def count(self, total: int) -> int:
        """How many pages such a list has; an empty one has one."""
        return max(1, -(-total // self.size))

    def span(self, total: int) -> str:
        """Which rows of how many it shows."""
        if total <= self.size and self.number == 1:
            return f"{total:,}"
        last = min(self.offset + self.size, total)
        return f"{self.offset + 1:,}\N{EN DASH}{last:,} of {total:,}"


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of the other parts of a list; an empty one is not there."""

    first: str
    previous: str
    next: str
    last: str
    sizes: dict[int, str]


def links(path: str, query: dict[str, str], page: Page, total: int) -> Links:
    """Where the other parts of a list are, and the same list in parts of another size."""
    fields = {**query, "size": str(page.size) if page.size != SIZES[0] else ""}
    last = page.count(total)

    def part(number: int, *, is_there: bool) -> str:
        return address(path, fields, page=number if number > 1 else "") if is_there else ""

    return Links(
        first=part(1, is_there=page.number > 1),
        previous=part(page.number - 1, is_there=page.number > 1),
        next=part(page.number + 1, is_there=page.number < last),
        last=part(last, is_there=page.number < last),
        sizes={
            size: address(path, fields, size=size if size != SIZES[0] else "") for size in SIZES
        },
    )


def _asked(
    page: Annotated[int, Query(ge=1)] = 1, size: Annotated[int, Query(ge=1)] = SIZES[0]
) -> Page:
    return page_of(page, size)


AskedPage = Annotated[Page, Depends(_asked)]


def page_of(number: int, size: int) -> Page:
    """A page within bounds: an unknown size is the first one."""
    return Page(min(max(number, 1), MAX_NUMBER), size if size in SIZES else SIZES[0])


def address(path: str, query: dict[str, str], **changes: str | int) -> str:
    """A path with a query in which some fields are changed; empty ones are left out."""
    fields = {**query, **{name: str(value) for name, value in changes.items()}}
    kept = [(name, value) for name, value in fields.items() if value]
    return f"{path}?{urlencode(kept)}" if kept else path
