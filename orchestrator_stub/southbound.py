# SPDX-License-Identifier: Apache-2.0
"""The maintenance protocol over HTTP: a unary call with JSON, as Connect has it.

A node posts the request message to the method's gRPC path and gets the response message with
status 200, or `{"code": …, "message": …}` with the status of that code. Who calls is settled
before a byte of the body is read.

Polls are asked for far more often than everything else together, so they do not go through the
framework: that costs more than to answer one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator_stub.access import node_token
from orchestrator_stub.body_limit import Body
from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError
from orchestrator_stub.gathering import Gathering
from orchestrator_stub.maintenance import Call, Poll, fingerprint
from orchestrator_stub.poll_queue import PollQueue
from orchestrator_stub.safe_headers import safe_headers
from orchestrator_stub.services import Services
from puad.core.errors import WireError
from puad.core.wire import Answer, StatusReport, decode_request, encode_response, loads

PATH: Final = "/maintmgr.v1.MaintmgrService/PlatformUpdateStatus"
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Reply:
    document: Mapping[str, Any]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Southbound:
    """ASGI middleware that answers nodes, and passes every other request on.

    Args:
        app: What answers the others.
        services: The parts behind it.
        poll_queue: Where polls wait that must be looked up, or written down.
        recalled: Where those wait that are like the last ones of their nodes.
    """

    def __init__(
        self,
        app: ASGIApp,
        services: Services,
        poll_queue: PollQueue,
        recalled: Gathering[Call, Answer | None],
    ) -> None:
        self._app = app
        self._services = services
        self._poll_queue = poll_queue
        self._recalled = recalled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call of the maintenance manager, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        body = Body(scope, receive)
        reply = await self._answer(scope, body)
        content = _encode(reply.document).encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            **safe_headers(scope),
            **reply.headers,
        }
        if not await body.is_over():
            headers["connection"] = "close"
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, body: Body) -> _Reply:
        try:
            return await self._call(scope, body)
        except OrchestratorError as error:
            if error.is_ours:
                log.error("a poll could not be answered: %s", error)  # noqa: TRY400 - it says it all
            return _refusal(error.code, error.what)
        except Exception:
            log.exception("a poll could not be answered")
            return _refusal(Code.INTERNAL, "the orchestrator could not answer; see its log")

    async def _call(self, scope: Scope, body: Body) -> _Reply:
        if scope["method"] != "POST":
            return _unlike_connect(405, "the method is POST", {"Allow": "POST"})
        headers = dict(reversed(scope["headers"]))  # of a header that comes twice the first counts
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        node = node_token.verify(self._services.secret_key, authorization)
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != b"application/json":
            what = "the content type is application/json"
            return _unlike_connect(415, what, {"Accept-Post": "application/json"})
        message = await _read(body)
        call = Call(node, fingerprint(message), int(time.time()))
        return _Reply(encode_response(await self._answered(call, message, body)))

    async def _answered(self, call: Call, message: bytes, body: Body) -> Answer:
        maintenance, queue = self._services.maintenance, self._poll_queue
        subject = call.node.subject
        if maintenance.knows(call) and not queue.has(subject):
            recalled = await self._recalled.ask(call)
            if recalled is not None:
                return recalled
            if await body.caller_has_gone():  # it may have said something newer meanwhile
                raise OrchestratorError(Code.ABORTED, "the node has given this poll up")
        host_guid, report = _decoded(message)
        poll = Poll(call.node, host_guid, report, call.now_s, call.said)
        return await queue.pass_through(
            subject, body.caller_has_gone, lambda: maintenance.answer(poll)
        )


async def _read(body: Body) -> bytes:
    try:
        return await body.read()
    except HTTPException as error:
        raise OrchestratorError(Code.RESOURCE_EXHAUSTED, str(error.detail)) from error
    except ClientDisconnect as error:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "the caller has gone") from error


def _decoded(body: bytes) -> tuple[str, StatusReport]:
    try:
        return decode_request(loads(body))
    except WireError as error:
        raise OrchestratorError(Code.INVALID_ARGUMENT, str(error)) from error


def _unlike_connect(status: int, what: str, headers: Mapping[str, str]) -> _Reply:
    """Connect gives these no error message of its own, only the status."""
    return _Reply({"code": Code.INVALID_ARGUMENT, "message": what}, status, headers)


def _refusal(code: Code, message: str) -> _Reply:
    headers = {"WWW-Authenticate": "Bearer"} if code is Code.UNAUTHENTICATED else {}
    return _Reply({"code": code, "message": message}, HTTP_STATUS[code], headers)
