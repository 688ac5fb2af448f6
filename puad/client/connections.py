# SPDX-License-Identifier: Apache-2.0
"""The connections of our sessions: urllib3's, on sockets that keep the deadline of the call.

The sockets look up from waiting for the peer (`puad.client.deadline`): for bytes, and for the TLS
handshake, which is many round trips in one call. Where the node's clock is certainly wrong, they
hold the peer's certificate to the clock floor instead (docs/adr/0010).
"""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection

from puad.client import deadline


class TlsSocket(ssl.SSLSocket):
    """A TLS socket that keeps the deadline; an `SSLContext` makes it by its `sslsocket_class`."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 -- the signature of ssl
        """Agree on keys with the peer."""
        handshake = super().do_handshake
        deadline.wait(self, lambda: handshake(block))

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 -- any writable buffer
        """Receive what is there, or wait for it.

        A record holds 16 KiB, and OpenSSL gives one at a time: those that have come behind it are
        taken along, or each would cost its reader as much as a large piece does.
        """
        room = memoryview(buffer)[: nbytes or None]
        return deadline.wait(self, lambda: self._receive(room, flags))

    def _receive(self, room: memoryview, flags: int) -> int:
        received = super().recv_into(room, None, flags)
        if 0 < received < len(room):
            timeout_s = self.gettimeout()
            self.settimeout(0)
            try:
                more = received
                while more and received < len(room):
                    more = super().recv_into(room[received:], None, flags)
                    received += more
            except OSError:  # nothing more for now; what is wrong otherwise is seen the next time
                pass
            finally:
                self.settimeout(timeout_s)
        return received


def tls_socket_at(floor: datetime) -> type[TlsSocket]:
    """A TLS socket that refuses a certificate which had expired before the clock floor."""

    class FlooredTlsSocket(TlsSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 -- the signature of ssl
            super().do_handshake(block)
            ends = (self.getpeercert() or {}).get("notAfter")
            if not isinstance(ends, str) or ssl.cert_time_to_seconds(ends) < floor.timestamp():
                raise ssl.SSLCertVerificationError(
                    f"the certificate had expired before {floor:%Y-%m-%d %H:%M} UTC"
                )

    return FlooredTlsSocket


class _PlainSocket(socket.socket):
    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401 -- any writable buffer
        receive = super().recv_into
        return deadline.wait(self, lambda: receive(buffer, nbytes, flags))


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        timeout_s = connected.gettimeout()
        own = _PlainSocket(fileno=connected.detach())
        own.settimeout(timeout_s)
        return own


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


POOLS: Final = {"http": _PlainPool, "https": HTTPSConnectionPool}
