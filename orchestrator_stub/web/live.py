# SPDX-License-Identifier: Apache-2.0
"""Live parts of a page, as server-sent events: the parts of it that have changed since.

A part is one element with an id, rendered by the same template as the page, so a plain reload
shows the same. Rules:

1. Whoever is logged out, or loses the project, is told nothing more.
2. Streams are few and end by themselves; the browser opens the next one. A browser that gets none
   (204) does not ask again, and its page still works.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.web import rendering
from orchestrator_stub.web.visit import LoginNeededError, Visit, looking

MAX_STREAMS: Final = 64
PERIOD_S: Final = 2.0
LIFETIME_S: Final = 600.0
_RETRY_MS: Final = 4000

Parts = dict[str, str]


@dataclass(slots=True)
class Streams:
    """How many streams this process has open."""

    open: int = 0


def stream(request: Request, parts: Callable[[Visit], Parts]) -> Response:
    """The stream of the parts of a page that change."""
    streams: Streams = request.app.state.live_streams
    if streams.open >= MAX_STREAMS:
        return Response(status_code=204, headers=rendering.HEADERS)
    return StreamingResponse(
        _events(request, parts, streams),
        media_type="text/event-stream",
        headers={**rendering.HEADERS, "X-Accel-Buffering": "no"},
    )


async def _events(
    request: Request, parts: Callable[[Visit], Parts], streams: Streams
) -> AsyncIterator[str]:
    streams.open += 1
    sent: Parts = {}
    ends = time.monotonic() + LIFETIME_S
    try:
        yield f"retry: {_RETRY_MS}\n\n"
        while time.monotonic() < ends and not _is_stopping(request):
            now = await run_in_threadpool(_look, request, parts)
            if now is None:
                yield "event: over\ndata: \n\n"
                return
            changed = {name: html for name, html in now.items() if sent.get(name) != html}
            sent = now
            yield f"data: {json.dumps(changed)}\n\n" if changed else ": nothing new\n\n"
            await asyncio.sleep(PERIOD_S)
    finally:
        streams.open -= 1


def _look(request: Request, parts: Callable[[Visit], Parts]) -> Parts | None:
    """The parts as they are now; None when this browser is not to see them any more."""
    try:
        return parts(looking(request, request.query_params.get("project", "")))
    except LoginNeededError:
        return None
    except OrchestratorError as error:
        if error.code in {Code.NOT_FOUND, Code.PERMISSION_DENIED}:
            return None
        raise


def _is_stopping(request: Request) -> bool:
    """Whether the server is about to end, and waits for nothing but its streams."""
    is_stopping: Callable[[], bool] | None = getattr(request.app.state, "is_stopping", None)
    return is_stopping is not None and is_stopping()
