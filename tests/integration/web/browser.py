# SPDX-License-Identifier: Apache-2.0
"""A browser without a script: it keeps cookies, reads pages, fills forms in, follows redirects."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from tests.integration.web.html import Element, check, parse
from tests.integration.web.serving import PASSWORD

MOST_REDIRECTS = 3
Values = dict[str, str | list[str]]


@dataclass
class Page:
    """A page that was got, and how."""

    response: httpx.Response
    document: Element

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.request.url.raw_path.decode()

    @property
    def title(self) -> str:
        return self.document.one("h1").text

    @property
    def message(self) -> str:
        """What a form has done, or why it was refused."""
        found = [one for one in self.document.all("p", class_="message") if one.get("role")]
        return found[0].text if found else ""

    @property
    def was_refused(self) -> bool:
        return bool(self.document.all("p", class_="refused"))

    def table(self, caption: str = "") -> Element:
        """The table whose caption has these words."""
        found = [one for one in self.document.all("table") if caption in one.one("caption").text]
        assert len(found) == 1, [one.one("caption").text for one in self.document.all("table")]
        return found[0]

    def form(self, action: str) -> Form:
        found = [one for one in self.document.all("form") if one.get("action") == action]
        assert len(found) == 1, [one.get("action") for one in self.document.all("form")]
        return Form(found[0])


@dataclass
class Form:
    """A form, filled in as the page has it."""

    element: Element

    def values(self) -> Values:
        values: Values = {}

        def add(name: str, value: str) -> None:
            before = values.get(name)
            if before is None:
                values[name] = value
            else:
                values[name] = [*([before] if isinstance(before, str) else before), value]

        for one in self.element.every():
            if one.tag == "input" and one.get("name"):
                tickable = one.get("type") in {"checkbox", "radio"}
                if not tickable or "checked" in one.attributes:
                    add(one["name"], one.get("value"))
            if one.tag == "select":
                add(one["name"], _selected(one))
        return values

    def options(self, name: str) -> dict[str, str]:
        """What a list offers: its values by their words."""
        select = self.element.one("select", name=name)
        return {one.text: one.attributes.get("value", one.text) for one in select.all("option")}


def _selected(select: Element) -> str:
    options = select.all("option")
    chosen = next((one for one in options if "selected" in one.attributes), options[0])
    return chosen.attributes.get("value", chosen.text)


class Browser:
    """An operator's browser."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def get(self, path: str) -> Page:
        return self._follow(self.client.get(path))

    def submit(self, form: Form, **changes: str | list[str]) -> Page:
        """Send a form as the page has it, but for some fields."""
        values = {**form.values(), **changes}
        return self.post(form.element["action"], values)

    def post(self, path: str, values: Values) -> Page:
        return self._follow(self.client.post(path, data=values))

    def log_in(self, name: str = "admin", password: str = PASSWORD) -> Page:
        return self.submit(self.get("/login").form("/login"), name=name, password=password)

    def _follow(self, response: httpx.Response) -> Page:
        for _ in range(MOST_REDIRECTS):
            if not response.is_redirect:
                break
            response = self.client.get(response.headers["location"])
        assert "text/html" in response.headers["content-type"], response.text
        document = parse(response.text)
        check(document)
        return Page(response, document)
