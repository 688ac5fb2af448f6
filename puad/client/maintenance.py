# SPDX-License-Identifier: Apache-2.0
"""The call to the maintenance manager: report the node's status, take the plan (protocol.md §1).

One call is one POST with the token that stands in the token file *now*. The token goes to the
configured address alone: a redirect is never followed. Size and duration of an answer are bounded.
The connection is kept for the next call; a renewed CA file counts at once all the same.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from puad.client.backoff import parse_retry_after
from puad.client.deadline import Deadline
from puad.client.kept_session import KeptSession, stamp
from puad.client.reason import reason_of
from puad.client.transport import make_session
from puad.config import Limits, ServerSettings
from puad.core.errors import Code, ServerError
from puad.core.wire import Answer, StatusReport, decode_response, encode_request, loads

PATH: Final = "/maintmgr.v1.MaintmgrService/PlatformUpdateStatus"
_CONNECT_S: Final = 10.0
_MOST_SESSION_AGE_S: Final = 3600.0  # after that the server's certificate is judged anew
_MOST_TOKEN_BYTES: Final = 16 << 10
_MOST_ERROR_BYTES: Final = 4 << 10
_MOST_MESSAGE: Final = 300
_PIECE_BYTES: Final = 16 << 10
_TOKEN: Final = re.compile(rb"[\x21-\x7e]+")
_OK: Final = 200
_UNAUTHENTICATED: Final = frozenset({401, 403})
_WORTH_A_RETRY: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500


class MaintenanceClient:
    """The maintenance manager as a node sees it.

    Args:
        server: Where it is, and how to be trusted there.
        limits: The bound of its answer.
        judged_at: The clock floor while the clock is certainly wrong, else None.
    """

    def __init__(
        self,
        server: ServerSettings,
        limits: Limits,
        judged_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._server = server
        self._limits = limits
        self._kept = KeptSession(
            lambda: make_session(server.tls_min, server.ca_file, judged_at=judged_at()),
            lambda: (stamp(server.ca_file), judged_at()),
            _MOST_SESSION_AGE_S,
        )

    def report(self, host_guid: str, status: StatusReport, now: datetime) -> Answer:
        """Report the status and return what the maintenance manager wants.

        Args:
            host_guid: The host's GUID.
            status: What to report.
            now: The time that a Retry-After date counts from, UTC.

        Raises:
            ServerError: It could not be asked or refused; `retry_after_s` is set when it said so.
            WireError: `SERVER_ANSWER_INVALID`, when the answer breaks the protocol.
            ConfigError: The CA file cannot be used.
        """
        if not self._server.url:
            raise ServerError(
                Code.SERVER_UNREACHABLE, "No orchestrator is configured", on="server.url"
            )
        body = json.dumps(encode_request(host_guid, status)).encode()
        token = read_token(self._server.token_file)
        try:
            with Deadline(self._server.timeout_s):
                answer = self._ask(body, token, now)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise ServerError(
                Code.SERVER_UNREACHABLE,
                f"The orchestrator could not be asked: {reason_of(error)}",
                on=self._server.url,
            ) from error
        return decode_response(loads(answer))

    def _ask(self, body: bytes, token: str, now: datetime) -> bytes:
        session, is_used = self._kept.session()
        try:
            return self._post(session, body, token, now)
        except (requests.RequestException, HTTPError, OSError):
            self._kept.drop()
            if not is_used:
                raise
        # The kept connection may have come to its end unnoticed; a report can be repeated.
        return self._post(self._kept.session()[0], body, token, now)

    def _post(self, session: requests.Session, body: bytes, token: str, now: datetime) -> bytes:
        timeout_s = float(self._server.timeout_s)
        with session.post(
            self._server.url.rstrip("/") + PATH,
            data=body,
            headers={
                "Authorization": f"Bearer {token}",
                "Connect-Protocol-Version": "1",
                "Content-Type": "application/json",
            },
            timeout=(min(_CONNECT_S, timeout_s), timeout_s),
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != _OK:
                raise self._refusal(response, now)
            return self._read(response)

    def _read(self, response: requests.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._invalid("is compressed, which was not asked for")
        answer = _body(response, self._limits.answer_bytes + 1)
        if len(answer) > self._limits.answer_bytes:
            raise self._invalid(f"is larger than {self._limits.answer_bytes} bytes")
        return answer

    def _invalid(self, how: str) -> ServerError:
        return ServerError(
            Code.SERVER_ANSWER_INVALID, f"The orchestrator's answer {how}", on=self._server.url
        )

    def _refusal(self, response: requests.Response, now: datetime) -> ServerError:
        status = response.status_code
        if response.is_redirect:
            what = "The orchestrator redirects, and the token goes to no other address"
            return ServerError(Code.SERVER_REFUSED, what, on=self._server.url)
        if status in _UNAUTHENTICATED:
            code, what = Code.SERVER_UNAUTHENTICATED, "The orchestrator does not accept the token"
        elif status in _WORTH_A_RETRY or status >= _SERVER_ERROR:
            code, what = Code.SERVER_UNREACHABLE, "The orchestrator cannot answer now"
        else:
            code, what = Code.SERVER_REFUSED, "The orchestrator refused the report"
        error = ServerError(code, f"{what}: {_said(response)}", on=self._server.url)
        wait_s = parse_retry_after(response.headers.get("Retry-After"), now)
        if wait_s is not None:
            error.retry_after_s = min(wait_s, float(self._limits.retry_after_most_s))
        return error


def read_token(path: Path) -> str:
    """The node's token as it stands in its file now.

    Raises:
        ServerError: `SERVER_UNAUTHENTICATED`, when there is none.
    """
    try:
        # Without O_NONBLOCK a FIFO in its place would hold the node up for ever.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            regular = stat.S_ISREG(os.fstat(file).st_mode)
            content = os.read(file, _MOST_TOKEN_BYTES + 1) if regular else b""
        finally:
            os.close(file)
    except OSError as error:
        raise ServerError(
            Code.SERVER_UNAUTHENTICATED,
            f"The token file cannot be read: {error.strerror}",
            on=str(path),
        ) from error
    token = content.strip()
    if len(content) > _MOST_TOKEN_BYTES or not _TOKEN.fullmatch(token):
        raise ServerError(
            Code.SERVER_UNAUTHENTICATED, "The token file holds no token", on=str(path)
        )
    return token.decode("ascii")


def _said(response: requests.Response) -> str:
    """The status, and the message of a Connect error when the body holds one."""
    heading = f"HTTP {response.status_code}"
    try:
        document = json.loads(_body(response, _MOST_ERROR_BYTES))
    except (ValueError, RecursionError, HTTPError, OSError):
        return heading
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, str) or not message:
        return heading
    shown = "".join(character if character.isprintable() else " " for character in message)
    return f"{heading}, {shown[:_MOST_MESSAGE]}"


def _body(response: requests.Response, most_bytes: int) -> bytes:
    """The body, cut at `most_bytes` or a little more.

    Piece by piece with `read1` alone: `stream` of an older urllib3 takes a line of chunk size
    without a bound, and `read` takes a chunk of size -1 as everything that ever comes.
    """
    body = bytearray()
    while len(body) < most_bytes:
        piece = response.raw.read1(min(_PIECE_BYTES, most_bytes - len(body)), decode_content=False)
        if not piece:
            break
        body += piece
    return bytes(body)
