# SPDX-License-Identifier: Apache-2.0
"""The maintenance protocol over HTTP: a unary call with JSON, as Connect has it.

A node posts the request message to the method's gRPC path and gets the response message with
status 200, or `{"code": …, "message": …}` with the status of that code. Who calls is settled
before a byte of the body is read.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from orchestrator_stub.access import node_token
from orchestrator_stub.errors import HTTP_STATUS, Code, OrchestratorError
from orchestrator_stub.maintenance import Poll
from orchestrator_stub.poll_queue import PollQueue
from orchestrator_stub.services import Services
from puad.core.errors import WireError
from puad.core.wire import Answer, StatusReport, decode_request, encode_response, loads

PATH: Final = "/maintmgr.v1.MaintmgrService/PlatformUpdateStatus"

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Add the call, before all else: it is asked for far more often than everything else together.

    It is a plain route, since it takes its request apart by itself.
    """
    app.add_route(PATH, platform_update_status, methods=["POST"], include_in_schema=False)


async def platform_update_status(request: Request) -> JSONResponse:
    """Carry one call of the maintenance manager."""
    try:
        return await _call(request)
    except OrchestratorError as error:
        if error.is_ours:
            log.error("a poll could not be answered: %s", error)  # noqa: TRY400 - it says it all
        return _refusal(error.code, error.what)
    except Exception:
        log.exception("a poll could not be answered")
        return _refusal(Code.INTERNAL, "the orchestrator could not answer; see its log")


async def _call(request: Request) -> JSONResponse:
    services: Services = request.app.state.services
    node = node_token.verify(services.secret_key, request.headers.get("authorization"))
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        # Connect gives an unknown codec no error message of its own, only this status.
        return JSONResponse(
            {"code": Code.INVALID_ARGUMENT, "message": "the content type is application/json"},
            status_code=415,
            headers={"Accept-Post": "application/json"},
        )
    host_guid, report = await _read(request)
    poll_queue: PollQueue = request.app.state.poll_queue

    def answer() -> Answer:
        return services.maintenance.answer(Poll(node, host_guid, report, int(time.time())))

    answered = await poll_queue.pass_through(host_guid, request.is_disconnected, answer)
    return JSONResponse(encode_response(answered))


async def _read(request: Request) -> tuple[str, StatusReport]:
    try:
        body = await request.body()
    except HTTPException as error:
        raise OrchestratorError(Code.RESOURCE_EXHAUSTED, str(error.detail)) from error
    except ClientDisconnect as error:
        raise OrchestratorError(Code.INVALID_ARGUMENT, "the caller has gone") from error
    try:
        return decode_request(loads(body))
    except WireError as error:
        raise OrchestratorError(Code.INVALID_ARGUMENT, str(error)) from error


def _refusal(code: Code, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if code is Code.UNAUTHENTICATED else None
    return JSONResponse(
        {"code": code, "message": message}, status_code=HTTP_STATUS[code], headers=headers
    )
