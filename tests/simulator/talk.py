# SPDX-License-Identifier: Apache-2.0
"""A simulated node's talk with the maintenance manager: the real messages, made by `puad.core`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from puad.client.backoff import parse_retry_after
from puad.core.errors import Code, ServerError, WireError
from puad.core.wire import Answer, OSType, StatusReport, decode_response, encode_request, loads
from tests.simulator.connection import BrokenError, Connection, Reply

PATH: Final = "/maintmgr.v1.MaintmgrService/PlatformUpdateStatus"
_OK: Final = 200
_UNAUTHENTICATED: Final = frozenset({401, 403})
_WORTH_A_RETRY: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500


@dataclass(slots=True)
class Talk:
    """The maintenance manager as one node sees it."""

    connection: Connection
    guid: str
    token: str

    async def report(self, status: StatusReport, now: datetime) -> Answer:
        """Report, and return what the maintenance manager wants.

        Raises:
            ServerError: It could not be asked, or refused.
            WireError: Its answer breaks the protocol.
        """
        body = json.dumps(encode_request(self.guid, status)).encode()
        try:
            reply = await self.connection.post(PATH, self.token, body)
        except BrokenError as error:
            raise ServerError(Code.SERVER_UNREACHABLE, f"It could not be asked: {error}") from error
        if reply.status != _OK:
            raise _refusal(reply, now)
        answer = decode_response(loads(reply.body))
        if answer.os_type is OSType.MUTABLE:
            raise WireError(Code.SERVER_ANSWER_INVALID, "This is no mutable OS", on="osType")
        return answer


def _refusal(reply: Reply, now: datetime) -> ServerError:
    if reply.status in _UNAUTHENTICATED:
        code = Code.SERVER_UNAUTHENTICATED
    elif reply.status in _WORTH_A_RETRY or reply.status >= _SERVER_ERROR:
        code = Code.SERVER_UNREACHABLE
    else:
        code = Code.SERVER_REFUSED
    said = reply.body[:300].decode("utf-8", "replace")
    error = ServerError(code, f"HTTP {reply.status}, {said}")
    error.retry_after_s = parse_retry_after(reply.headers.get("retry-after"), now)
    return error
