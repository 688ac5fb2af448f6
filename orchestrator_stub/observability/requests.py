# SPDX-License-Identifier: Apache-2.0
"""What every request gives: an id in its response and its log lines, a poll's time, a line.

Polls, probes and files are many and are counted or of no interest: they have a line only when the
server could not answer. Of any other request there is one line, with its path but neither its
query, which may hold what an operator has written, nor who sent it.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator_stub import southbound
from orchestrator_stub.observability import request_id
from orchestrator_stub.observability.metrics import Metrics

_QUIET: Final = ("/static/", "/release/", "/healthz", "/readyz", "/metrics", southbound.PATH)
_MAX_PATH_CHARS: Final = 200
_SERVER_ERROR: Final = 500

log = logging.getLogger(__name__)


class Observed:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = request_id.chosen(Headers(scope=scope).get(request_id.HEADER, ""))
        status = _SERVER_ERROR  # until a response has begun

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[request_id.HEADER] = identity
            await send(message)

        # not taken back: an error that is handled outside of this is logged for this request, too
        request_id.current.set(identity)
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        path = scope["path"]
        if path == southbound.PATH:
            self._metrics.poll(status, duration_s)
        if status < _SERVER_ERROR and path.startswith(_QUIET):
            return
        fields = {
            "method": scope["method"],
            "path": _shown(scope),
            "status": status,
            "duration_ms": round(duration_s * 1000, 1),
        }
        level = logging.WARNING if status >= _SERVER_ERROR else logging.INFO
        log.log(
            level,
            "%s %s: %d in %.1f ms",
            *fields.values(),
            extra={"fields": fields},
        )


def _shown(scope: Scope) -> str:
    """The path as it came, which is ASCII, and not longer than anybody wants to read."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0][:_MAX_PATH_CHARS].decode("ascii", "backslashreplace")
