# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

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
