# SPDX-License-Identifier: Apache-2.0
"""Live parts of a page, as server-sent events: the parts of it that have changed since.

A part is one element with an id, rendered by the same template as the page, so a plain reload
shows the same. Rules:

1. Whoever is logged out, or loses the project, is told nothing more.
2. Streams are few, of one operator fewer, and end by themselves; the browser opens the next one. A
   browser that gets none (204, or one that is over at once) does not ask again, and its page still
   works.
3. Whether the browser is still there is asked for here: uvicorn 0.32, which Debian 13 has, lets a
   response go on that nobody listens to any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
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
MAX_OF_ONE: Final = 8
"""A browser has six connections for one server, and a page that is not seen keeps none."""

PERIOD_S: Final = 2.0
LIFETIME_S: Final = 600.0
_RETRY_MS: Final = 4000
_OVER: Final = "event: over\ndata: \n\n"

Parts = dict[str, str]

log = logging.getLogger(__name__)


class Streams:
    """Whose streams this process has open."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def are_all_open(self) -> bool:
        """Whether nobody can have another one."""
        return self._open.total() >= MAX_STREAMS

    def open(self, operator: str) -> bool:
        """Open one for an operator; False when there is none left for them."""
        if self.are_all_open or self._open[operator] >= MAX_OF_ONE:
            return False
        self._open[operator] += 1
        return True

    def close(self, operator: str) -> None:
        """Let somebody else have it."""
        self._open[operator] -= 1
        self._open += Counter()  # without those who have none


@dataclass(frozen=True, slots=True)
class _Look:
    """What an operator sees now."""

    operator: str
    parts: Parts


def stream(request: Request, parts: Callable[[Visit], Parts]) -> Response:
    """The stream of the parts of a page that change."""
    streams: Streams = request.app.state.live_streams
    if streams.are_all_open:
        return Response(status_code=204, headers=rendering.HEADERS)
    return StreamingResponse(
        _events(request, parts, streams),
        media_type="text/event-stream",
        headers={**rendering.HEADERS, "X-Accel-Buffering": "no"},
    )


async def _events(
    request: Request, parts: Callable[[Visit], Parts], streams: Streams
) -> AsyncIterator[str]:
    ends = time.monotonic() + LIFETIME_S
    operator, sent = "", Parts()
    try:
        yield f"retry: {_RETRY_MS}\n\n"
        while (now := await run_in_threadpool(_look, request, parts)) is not None:
            if not operator and not streams.open(now.operator):
                break
            operator = now.operator
            changed = {name: html for name, html in now.parts.items() if sent.get(name) != html}
            sent = now.parts
            yield f"data: {json.dumps(changed)}\n\n" if changed else ": nothing new\n\n"
            await asyncio.sleep(PERIOD_S)
            if time.monotonic() >= ends or _is_stopping(request) or await request.is_disconnected():
                return
        yield _OVER
    except OrchestratorError as error:
        # the stream ends, and the browser opens the next one; the message says it all
        log.error("a page was not kept up to date: %s", error)  # noqa: TRY400 - see above
    finally:
        if operator:
            streams.close(operator)


def _look(request: Request, parts: Callable[[Visit], Parts]) -> _Look | None:
    """The parts as they are now; None when this browser is not to see them any more."""
    try:
        visit = looking(request, request.query_params.get("project", ""))
        return _Look(visit.visitor.name, parts(visit))
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
