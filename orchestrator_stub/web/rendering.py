# SPDX-License-Identifier: Apache-2.0
"""Templates into pages: escaped, strict about what is undefined.

Their headers forbid everything that no page needs.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestrator_stub.access import browsers
from orchestrator_stub.web.clock import span

_PACKAGE: Final = Path(__file__).parent.parent
_KINDS: Final = ("OS_TYPE_", "OS_PROVIDER_KIND_", "SECURITY_FEATURE_")
THEME_COOKIE: Final = "puad_theme"
THEMES: Final = ("system", "light", "dark")
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PACKAGE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals["asset"] = asset
    environment.filters["span"] = span
    environment.filters["words"] = words
    return environment


def words(constant: str) -> str:
    """A constant of the API, such as `OS_TYPE_IMMUTABLE`, as a person writes it."""
    for kind in _KINDS:
        constant = constant.removeprefix(kind)
    return constant.replace("_", " ").capitalize()


@cache
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so no old copy is shown."""
    content = (_PACKAGE / "static" / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def text(template: str, values: dict[str, Any]) -> str:
    """A template with values, as text."""
    return _templates().get_template(template).render(values)


def page(
    request: Request, template: str, values: dict[str, Any], status_code: int = 200
) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(
        text(template, {"theme": theme(request), "here": here(request), **values}),
        status_code=status_code,
        headers=HEADERS,
    )


def theme(request: Request) -> str:
    """The colours that were chosen: those of the system, light, or dark."""
    wanted = browsers.cookie(request, THEME_COOKIE)
    return wanted if wanted in THEMES else THEMES[0]


def here(request: Request) -> str:
    """The address that is shown, to come back to; a form's own address cannot be shown again."""
    if request.method != "GET":
        return "/"
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def is_local(address: str) -> bool:
    """Whether an address stays on this server, so that nobody can send an operator elsewhere."""
    return (
        address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    )
