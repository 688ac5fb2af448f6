# SPDX-License-Identifier: Apache-2.0
"""A page as a browser's parser sees it: a tree, refused when a tag is left open or misplaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})


@dataclass
class Element:
    """One element and what stands in it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text, with single spaces, and none before a mark that ends something."""
        return re.sub(r" ([.,:;])", r"\1", " ".join(" ".join(self._pieces()).split()))

    def _pieces(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._pieces()

    def every(self) -> Iterator[Element]:
        """Itself and every element in it, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.every()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements with this tag and these attributes; `class_` has one class among others."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            one
            for one in self.every()
            if one is not self and (not tag or one.tag == tag) and one.has(wanted)
        ]

    def has(self, wanted: dict[str, str]) -> bool:
        return all(
            value in self.attributes.get(name, "").split()
            if name == "class"
            else self.attributes.get(name) == value
            for name, value in wanted.items()
        )

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in: {self.text[:500]}"
        return found[0]

    def maybe(self, tag: str = "", **attributes: str) -> Element | None:
        """The first such element, when there is one."""
        return next(iter(self.all(tag, **attributes)), None)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str:
        """An attribute; empty when it is not there."""
        return self.attributes.get(name, "")

    def rows(self) -> list[dict[str, str]]:
        """The rows of a table, each by the column's heading."""
        headings = [cell.text for cell in self.one("thead").all("th")]
        found = []
        for row in self.one("tbody").all("tr"):
            cells = [one for one in row.children if isinstance(one, Element)]
            assert len(cells) == len(headings), row.text
            found.append(dict(zip(headings, (cell.text for cell in cells), strict=True)))
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open[-1].tag, f"</{tag}> where </{self.open[-1].tag}> is due"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(text: str) -> Element:
    """The tree of a page."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert builder.open == [builder.root], f"<{builder.open[-1].tag}> is left open"
    return builder.root


def check(page: Element) -> None:
    """What every page keeps: ids once, labels, nothing inline, nothing from elsewhere."""
    ids = [one["id"] for one in page.every() if one.get("id")]
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    for one in page.every():
        assert "style" not in one.attributes, one
        assert not [name for name in one.attributes if name.startswith("on")], one
        for name in ("href", "src", "action"):
            assert one.get(name).startswith(("", "/", "#"))
            assert "//" not in one.get(name), one.attributes
        assert one.tag != "style"
    for script in page.all("script"):
        assert script["src"].startswith("/static/")
        assert not script.text
    labelled = {label["for"] for label in page.all("label") if label.get("for")}
    wrapped = {id(field) for label in page.all("label") for field in label.every()}
    for control in [*page.all("input"), *page.all("select"), *page.all("textarea")]:
        if control.get("type") == "hidden" or control.get("aria-hidden"):
            continue
        named = control.get("aria-label") or control.get("id") in labelled
        assert named or id(control) in wrapped, control.attributes
    for table in page.all("table"):
        assert table.one("caption").text
        assert all(cell.get("scope") for cell in table.all("th"))
