# SPDX-License-Identifier: Apache-2.0
"""What every response says of itself, unless it says otherwise: nothing here is a page.

Pages, an API for programs, and files that a publisher has made share one origin. So whatever is no
page is nothing that a browser would run: it has the type that it says and no other, may load
nothing, runs no script, and belongs to no origin. What is no file is not kept anywhere.

Under TLS a browser comes back over TLS only. It remembers that for the whole host and for 30 days;
not when it had to be told to take the certificate all the same.
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TLS_ONLY: Final = "max-age=2592000"
_NO_PAGE: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_FILES: Final = ("/static/", "/release/")


def safe_headers(scope: Scope) -> dict[str, str]:
    """What the response to a request says of itself, unless it says otherwise."""
    wanted = dict(_NO_PAGE)
    if not scope["path"].startswith(_FILES):
        wanted["Cache-Control"] = "no-store"
    if scope["scheme"] == "https":
        wanted["Strict-Transport-Security"] = TLS_ONLY
    return wanted


class SafeHeaders:
    """ASGI middleware that adds what a response has not said."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = safe_headers(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
