# SPDX-License-Identifier: Apache-2.0
"""A bound on every request's body: so many bytes, in so much time.

It stands in front of the application, so that no handler can forget it. A body that announces too
much is refused before a byte of it is used. Before the response, what nobody wanted is read and
dropped, as far as that is little and quick, because closing on top of unread bytes may take the
response along. After more than that, the connection is closed with the response.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES: Final = 1 << 20
BODY_DEADLINE_S: Final = 30.0
_DROPPED_BYTES: Final = 4 << 20
_DROPPED_WITHIN_S: Final = 1.0


class BodyLimit:
    """ASGI middleware that bounds the request body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded `receive`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = Body(scope, receive)

        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start" and not await body.is_over():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, body.receive, send_and_close)


class Body:
    """A request's body on its way in.

    Args:
        scope: The request's.
        receive: The connection's.

    Attributes:
        ended: Whether there is nothing more to come.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        self.ended = (
            headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        )
        self._receive = receive
        self._left = MAX_BODY_BYTES
        # the server in front has refused a content length that is no number
        self._announced = int(headers.get("content-length", "0"))
        self._deadline: float | None = None

    async def receive(self) -> Message:
        """The next part; after the end, whatever the connection says, however long that takes."""
        if self.ended:
            return await self._receive()
        if self._announced <= MAX_BODY_BYTES:
            message = await self._in_time()
            self._left -= len(message.get("body", b""))
            if self._left >= 0:
                self.ended = not message.get("more_body", False)
                return message
        raise HTTPException(413, f"the body has more than {MAX_BODY_BYTES} bytes")

    async def read(self) -> bytes:
        """All of it; in most cases one part.

        Raises:
            HTTPException: 413 when there is too much of it, 408 when it does not come in time.
            ClientDisconnect: When the caller has gone.
        """
        parts = []
        while not self.ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        return b"".join(parts)

    async def caller_has_gone(self) -> bool:
        """Whether nobody waits for the response any more; asked once the body has ended.

        What would wait is not waited for: a step of it says whether it has something to say.
        """
        step = self._receive().__await__()
        try:
            next(step)
        except StopIteration as ended:
            message: Message = ended.value
            return bool(message["type"] == "http.disconnect")
        step.close()
        return False

    async def is_over(self) -> bool:
        """Whether the body has been read to its end, if need be now, when little of it is left."""
        if self.ended or not 0 < self._announced <= _DROPPED_BYTES:
            return self.ended
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DROPPED_WITHIN_S):
                while not self.ended:
                    message = await self._receive()
                    self.ended = not message.get("more_body", False)
        return self.ended

    async def _in_time(self) -> Message:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + BODY_DEADLINE_S
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, "the body did not come in time") from error
