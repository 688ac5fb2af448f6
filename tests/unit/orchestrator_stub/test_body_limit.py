# SPDX-License-Identifier: Apache-2.0
"""The bound on request bodies, driven as a server drives it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from orchestrator_stub import body_limit
from orchestrator_stub.body_limit import MAX_BODY_BYTES, BodyLimit

Messages = list[dict[str, Any]]


def serve(headers: dict[str, str], parts: Messages, *, read: bool = True) -> tuple[bytes, Messages]:
    """Pass a request through to an application that reads all of it and answers."""
    got = bytearray()
    sent: Messages = []
    left = list(parts)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(3600)
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        more = read
        while more:
            message = await receive()
            got.extend(message["body"])
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(BodyLimit(application)(scope, receive, send))
    return bytes(got), sent


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_body_in_bounds_passes_and_keeps_the_connection() -> None:
    got, sent = serve({"content-length": "4"}, [part(b"ab", more=True), part(b"cd")])
    assert got == b"abcd"
    assert sent[0]["headers"] == []


def test_largest_body_passes_and_one_byte_more_does_not() -> None:
    chunked = {"transfer-encoding": "chunked"}
    half = b"x" * (MAX_BODY_BYTES // 2)
    got, _ = serve(chunked, [part(half, more=True), part(half)])
    assert len(got) == MAX_BODY_BYTES
    with pytest.raises(HTTPException) as caught:
        serve(chunked, [part(half, more=True), part(half + b"x")])
    assert caught.value.status_code == 413


def test_announced_length_is_refused_before_a_part_is_read() -> None:
    with pytest.raises(HTTPException) as caught:
        serve({"content-length": str(MAX_BODY_BYTES + 1)}, [])
    assert caught.value.status_code == 413


def test_slow_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "BODY_DEADLINE_S", 0.05)
    with pytest.raises(HTTPException) as caught:
        serve({"content-length": "4"}, [part(b"ab", more=True)])
    assert caught.value.status_code == 408


@pytest.mark.parametrize(
    ("headers", "closes"),
    [
        ({}, False),
        ({"content-length": "0"}, False),
        ({"content-length": "5"}, True),
        ({"transfer-encoding": "chunked"}, True),
    ],
)
def test_connection_closes_when_the_body_was_left_unread(
    headers: dict[str, str], closes: bool
) -> None:
    _, sent = serve(headers, [], read=False)
    assert sent[0]["headers"] == ([(b"connection", b"close")] if closes else [])
