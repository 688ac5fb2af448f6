# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tests.simulator.connection import MAX_ANSWER_BYTES, BrokenError, Connection, Origin, Reply

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nRetry-After: 7\r\n\r\n{}"


@dataclass
class Server:
    """Answers each request on a connection with the next of some bytes; None hangs up."""

    answers: list[bytes | None]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def play(
    scene: Callable[[Connection, Server], Awaitable[None]],
    *answers: bytes | None,
    timeout_s: float = 30,
) -> None:
    async def staged() -> None:
        told = Server(list(answers))
        server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        connection = Connection(Origin.of(f"http://{host}:{port}/"), timeout_s)
        async with server:
            await scene(connection, told)
            connection.close()
        await asyncio.sleep(0)  # what was aborted is closed in the next round of the loop

    asyncio.run(staged())


async def post(connection: Connection) -> Reply:
    return await connection.post("/call", "the-token", b'{"a": 1}')


def test_call_is_what_a_node_sends_and_its_answer_is_read() -> None:
    async def scene(connection: Connection, server: Server) -> None:
        reply = await post(connection)
        assert (reply.status, reply.body, reply.headers["retry-after"]) == (200, b"{}", "7")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /call HTTP/1.1"
        wanted = {"Authorization: Bearer the-token", "Connect-Protocol-Version: 1"}
        assert wanted | {"Content-Type: application/json"} <= set(lines)
        assert body == b'{"a": 1}'

    play(scene, ANSWER)


def test_connection_is_kept_for_the_next_call() -> None:
    async def scene(connection: Connection, server: Server) -> None:
        for _ in range(3):
            await post(connection)
        assert (server.connections, connection.opened) == (1, 1)

    play(scene, ANSWER, ANSWER, ANSWER)


def test_kept_connection_that_has_ended_unnoticed_is_made_anew() -> None:
    async def scene(connection: Connection, server: Server) -> None:
        await post(connection)
        assert (await post(connection)).status == 200
        assert (server.connections, len(server.requests)) == (2, 3)

    play(scene, ANSWER, None, ANSWER)


def test_fresh_connection_that_ends_is_an_error_and_not_tried_again() -> None:
    async def scene(connection: Connection, server: Server) -> None:
        with pytest.raises(BrokenError):
            await post(connection)
        assert server.connections == 1

    play(scene, None, ANSWER)


def test_connection_that_is_to_close_is_not_used_again() -> None:
    async def scene(connection: Connection, server: Server) -> None:
        await post(connection)
        await post(connection)
        assert (server.connections, len(server.requests)) == (2, 2)

    play(scene, ANSWER.replace(b"Retry-After: 7", b"Connection: close"), ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + bytes(MAX_ANSWER_BYTES + 1),
    ],
    ids=["no HTTP", "too large"],
)
def test_answer_that_is_none_is_an_error(answer: bytes) -> None:
    async def scene(connection: Connection, _server: Server) -> None:
        with pytest.raises(BrokenError):
            await post(connection)

    play(scene, answer)


def test_answer_that_does_not_come_in_time_is_an_error() -> None:
    async def scene(connection: Connection, _server: Server) -> None:
        with pytest.raises(BrokenError, match="Timeout"):
            await post(connection)

    play(scene, b"", timeout_s=0.1)


def test_refused_connection_is_an_error() -> None:
    async def scene(connection: Connection, _server: Server) -> None:
        nobody = Connection(Origin("127.0.0.1", 1))
        with pytest.raises(BrokenError, match="Refused"):
            await post(nobody)
        assert connection.opened == 0

    play(scene)
