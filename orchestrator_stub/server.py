# SPDX-License-Identifier: Apache-2.0
"""The listening server: TLS 1.3 by default, plain HTTP only when asked for and on the loopback."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import errno
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from orchestrator_stub import connections
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.garbage import collect_seldom
from orchestrator_stub.tls.live import LiveCertificate
from puad.core.addresses import is_loopback

_KEEP_ALIVE_S: Final = 75  # nodes poll every 20 s, and each handshake costs both sides
_SHUTDOWN_S: Final = 10
_GOODBYE_S: Final = 1.0
_BACKLOG: Final = 4096  # a whole fleet calls at once when the server is back
_ACCEPTED_AT_ONCE: Final = 16
_TLS_BUFFER_BYTES: Final = 4096
_SWITCH_S: Final = 0.0005  # a thread that counts on holds the event loop up for no longer
_HINTS: Final = {
    errno.EADDRINUSE: "Choose another --port, or --port 0 for a free one.",
    errno.EADDRNOTAVAIL: "Give --host an address of this machine, or :: for every one.",
    errno.EACCES: "Choose a --port from 1024 on; those below are for who has CAP_NET_BIND_SERVICE.",
}
_NO_ADDRESS: Final = "Give --host an address or a name of this machine, or :: for every one."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen, and how: with the given certificate, plainly, or else with the server's own.

    The certificate may come from anywhere; plain HTTP is for the loopback address alone.
    """

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_min: str = "1.3"
    plain_http: bool = False

    def check(self) -> None:
        """Refuse an endpoint that would send tokens in the clear.

        Raises:
            OrchestratorError: When TLS is half given, or refused where it is needed.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "--tls-cert and --tls-key belong together"
            )
        if self.plain_http and self.tls_cert is not None:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "--plain-http and --tls-cert exclude each other"
            )
        if self.plain_http and not is_loopback(self.host):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"plain HTTP is served only on the loopback address, not on {self.host}",
                hint="Leave out --plain-http, or give --host 127.0.0.1.",
            )


class Server:
    """A bound socket and the application behind it.

    Args:
        app: The application.
        endpoint: Where to listen.
        certificate: What TLS is served with; None for plain HTTP.
    """

    def __init__(
        self, app: FastAPI, endpoint: Endpoint, certificate: LiveCertificate | None
    ) -> None:
        self._app = app
        self._connections = connections.protocol(connections.most_places())
        self._config = uvicorn.Config(
            app,
            http=self._connections,
            loop="asyncio",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        self._config.load()
        self._config.ssl = certificate.context if certificate else None
        self._socket = _bind(endpoint)
        scheme = "https" if certificate else "http"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self.url = f"{scheme}://{host}:{self._socket.getsockname()[1]}/"

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, either of which is a good end."""
        # uvicorn raises the signal again when it has shut down, for whoever was there before
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        keep_connections_small()
        sys.setswitchinterval(_SWITCH_S)
        server = uvicorn.Server(self._config)
        # pages that are kept up to date end by themselves, or stopping would wait for them
        self._app.state.is_stopping = lambda: server.should_exit
        try:
            with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_Loop) as loop:
                loop.run(self._serve(server))
        finally:
            self._socket.close()

    async def _serve(self, server: uvicorn.Server) -> None:
        places = self._connections.places
        collecting = asyncio.create_task(collect_seldom(lambda: places.ended))
        try:
            await server.serve(sockets=[self._socket])
        finally:
            collecting.cancel()


def keep_connections_small() -> None:
    """Let asyncio hold few bytes for each TLS connection of this process.

    Nodes keep theirs from poll to poll, and asyncio would hold 256 KiB for each: gigabytes for a
    large fleet. A poll fits into the buffer here; what is larger is read in more steps.
    """
    asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES


class _Loop(asyncio.SelectorEventLoop):
    """A loop that has patience with nobody, neither with few who are slow nor with many at once.

    It waits not long for whoever does not get on with TLS's greeting or goodbye. Nodes keep their
    connection from poll to poll and do not look at it in between: with asyncio's 30 s, each stop of
    the server would take all the time that it may.

    When a whole fleet calls, asyncio would accept as many at once as may wait: all of them would
    wait for their handshake together, and a crowd would take the last file before the first is
    refused. So few are accepted at once, and the others wait in the kernel, first come, first
    served.
    """

    async def create_server(
        self,
        *arguments: Any,  # noqa: ANN401 - handed through
        **options: Any,  # noqa: ANN401 - handed through
    ) -> asyncio.Server:
        """Listen as asyncio does."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = connections.HANDSHAKE_S
            options["ssl_shutdown_timeout"] = _GOODBYE_S
        # the one number means how many may wait as well as how many are accepted
        options["backlog"] = _ACCEPTED_AT_ONCE
        server: asyncio.Server = await super().create_server(*arguments, **options)
        options["sock"].listen(_BACKLOG)
        return server


def _bind(endpoint: Endpoint) -> socket.socket:
    """`::` is every address of the machine, those of IPv4 too."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server(
            (endpoint.host, endpoint.port),
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=endpoint.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise _deaf(endpoint, error) from error


def _deaf(endpoint: Endpoint, error: OSError) -> OrchestratorError:
    # what Python says of the error repeats the address; of a name only it knows what is wrong
    of_name = (error.errno or -1) < 0  # those of getaddrinfo, see `socket.EAI_NONAME`
    why = error.strerror if of_name else os.strerror(error.errno or 0)
    why = (why or str(error)).partition(" (while attempting")[0]
    return OrchestratorError(
        Code.UNAVAILABLE,
        f"cannot listen on {endpoint.host}, port {endpoint.port}: {why}",
        hint=_NO_ADDRESS if of_name else _HINTS.get(error.errno or 0, ""),
    )
