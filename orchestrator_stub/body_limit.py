# SPDX-License-Identifier: Apache-2.0
"""A bound on every request's body: so many bytes, in so much time.

It stands in front of the application, so that no handler can forget it. A body that announces too
much is refused before it is read.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 1 << 20
BODY_DEADLINE_S: Final = 30.0


class BodyLimit:
    """ASGI middleware that bounds the request body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, _Bounded(scope, receive), send)


class _Bounded:
    """A `receive` that raises once the body is too long or too slow."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY_BYTES
        self._announced = dict(scope["headers"]).get(b"content-length", b"0")
        self._deadline: float | None = None
        self._ended = False

    async def __call__(self) -> Message:
        if self._ended:
            return await self._receive()  # waits for the end of the connection, however long
        if not self._announced.isdigit() or int(self._announced[:20]) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        message = await self._in_time()
        self._left -= len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._left < 0:
            raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + BODY_DEADLINE_S
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body did not come in time") from error
