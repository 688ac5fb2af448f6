# SPDX-License-Identifier: Apache-2.0
"""The listening server: TLS 1.3 by default, plain HTTP only on the loopback address."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from puad.core.addresses import is_loopback

_TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_KEEP_ALIVE_S: Final = 75  # nodes poll every 20 s, and each handshake costs both sides
_SHUTDOWN_S: Final = 10
_BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen, and with which certificate; without one the address must be loopback."""

    host: str
    port: int
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_min: str = "1.3"

    def check(self) -> None:
        """Refuse an endpoint that would send tokens in the clear.

        Raises:
            OrchestratorError: When TLS is half given, or missing where it is needed.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "--tls-cert and --tls-key belong together"
            )
        if self.tls_cert is None and not is_loopback(self.host):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"plain HTTP is served only on the loopback address, not on {self.host}",
                hint="Give --tls-cert and --tls-key, or --host 127.0.0.1.",
            )


class Server:
    """A bound socket and the application behind it."""

    def __init__(self, app: FastAPI, endpoint: Endpoint) -> None:
        endpoint.check()
        self._config = uvicorn.Config(
            app,
            ssl_certfile=endpoint.tls_cert,
            ssl_keyfile=endpoint.tls_key,
            http="h11",
            loop="asyncio",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
        try:
            self._config.load()
        except OSError as error:  # ssl.SSLError is one
            raise _tls_fault(error, endpoint) from error
        if self._config.ssl is not None:
            self._config.ssl.minimum_version = _TLS_VERSIONS[endpoint.tls_min]
        self._socket = _bind(endpoint)
        scheme = "http" if self._config.ssl is None else "https"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        self.url = f"{scheme}://{host}:{self._socket.getsockname()[1]}/"

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, either of which is a good end."""
        # uvicorn raises the signal again when it has shut down, for whoever was there before
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(self._config).run(sockets=[self._socket])
        finally:
            self._socket.close()


def _tls_fault(error: OSError, endpoint: Endpoint) -> SettingsError:
    """What is wrong, and with which file: the library does not name it."""
    files = [path for path in (endpoint.tls_cert, endpoint.tls_key) if path is not None]
    why, on = error.strerror or str(error), ", ".join(map(str, files))
    for path in files:
        try:
            path.open("rb").close()
        except OSError as unreadable:
            why, on = unreadable.strerror or why, str(path)
            break
    return SettingsError(
        f"the certificate or its key cannot be used: {why} ({on})",
        hint="Give PEM files that this user may read with --tls-cert and --tls-key.",
    )


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
        raise OrchestratorError(
            Code.UNAVAILABLE,
            f"cannot listen on {endpoint.host}, port {endpoint.port}: {error.strerror or error}",
            hint="Choose another --port, or --port 0 for a free one.",
        ) from error
