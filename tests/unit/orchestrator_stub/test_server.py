# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys

from orchestrator_stub.server import _ACCEPTED_AT_ONCE, _Loop

PROGRAM = """
import asyncio.sslproto, ssl
from orchestrator_stub.server import keep_connections_small
keep_connections_small()
loop, context = asyncio.new_event_loop(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
connection = asyncio.sslproto.SSLProtocol(loop, asyncio.Protocol(), context, None, True)
print(len(connection.get_buffer(0)))
loop.close()
"""


def test_server_holds_few_bytes_for_each_connection() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 8192


def test_many_wait_in_the_kernel_while_few_are_accepted_at_once() -> None:
    accepted = 0

    def note() -> asyncio.Protocol:
        nonlocal accepted
        accepted += 1
        return asyncio.Protocol()

    async def listen() -> asyncio.Server:
        backlog = _ACCEPTED_AT_ONCE
        return await asyncio.get_running_loop().create_server(note, sock=listening, backlog=backlog)

    callers = 20 * _ACCEPTED_AT_ONCE
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        asyncio.Runner(loop_factory=_Loop) as runner,
        contextlib.ExitStack() as stack,
    ):
        server = runner.run(listen())
        address = listening.getsockname()
        for _ in range(callers):  # nobody accepts them meanwhile
            stack.enter_context(socket.create_connection(address, timeout=5))
        seen = []
        while accepted < callers:
            before = accepted
            runner.run(asyncio.sleep(0))
            seen.append(accepted - before)
        assert max(seen) <= 5 * _ACCEPTED_AT_ONCE  # each time the loop goes round some times
        server.close()
