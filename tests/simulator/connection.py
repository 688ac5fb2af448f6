# SPDX-License-Identifier: Apache-2.0
"""One node's connection to the orchestrator: HTTP/1.1 in asyncio, kept from call to call.

It sends what puad's own client sends, and keeps its rules: one POST at a time, the connection kept
until somebody closes it, one more try on a new one when a kept one had come to its end unnoticed, a
bound on the answer and on the duration of the whole call. Thousands fit into one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import h11

import puad

MAX_ANSWER_BYTES: Final = 1 << 20
_CONNECT_S: Final = 10.0
_PIECE_BYTES: Final = 16 << 10


class BrokenError(Exception):
    """The call did not come to its end: refused, reset, too late, or no HTTP."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the orchestrator listens, and what vouches for it; without that it is plain HTTP."""

    host: str
    port: int
    trust: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, ca_file: Path | None = None) -> Self:
        """The origin of an address."""
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ValueError(f"{url} names no host and port")
        trust = None
        if parts.scheme == "https":
            trust = ssl.create_default_context(cafile=ca_file)
            trust.minimum_version = ssl.TLSVersion.TLSv1_3
        return cls(parts.hostname, parts.port, trust)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Connection:
    """A connection that is made when it is needed, and kept.

    Attributes:
        opened: How often one was made.
    """

    origin: Origin
    timeout_s: float = 30.0
    opened: int = 0
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    async def post(self, path: str, token: str, body: bytes) -> Reply:
        """Carry one call.

        Raises:
            BrokenError: It did not come to its end.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._call(path, token, body)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            self.close()
            raise BrokenError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()  # it was cancelled: half an answer is no use to the next call
            raise

    def close(self) -> None:
        """Close it, without a goodbye; the next call makes another."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the loop has ended
                writer.transport.abort()

    async def _call(self, path: str, token: str, body: bytes) -> Reply:
        if self._writer is not None:
            with contextlib.suppress(OSError, h11.ProtocolError):
                return await self._exchange(path, token, body)
            self.close()
        await self._open()
        return await self._exchange(path, token, body)

    async def _open(self) -> None:
        name = self.origin.host if self.origin.trust else None
        async with asyncio.timeout(_CONNECT_S):
            self._reader, self._writer = await asyncio.open_connection(
                self.origin.host, self.origin.port, ssl=self.origin.trust, server_hostname=name
            )
        self._http = h11.Connection(h11.CLIENT)
        self.opened += 1

    async def _exchange(self, path: str, token: str, body: bytes) -> Reply:
        assert self._writer is not None
        headers = [
            ("Host", f"{self.origin.host}:{self.origin.port}"),
            ("User-Agent", f"puad/{puad.__version__}"),
            ("Accept-Encoding", "identity"),
            ("Authorization", f"Bearer {token}"),
            ("Connect-Protocol-Version", "1"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ]
        request = h11.Request(method="POST", target=path, headers=headers)
        parts = (request, h11.Data(data=body), h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
        return await self._answer()

    async def _answer(self) -> Reply:
        status, headers, pieces, size = 0, {}, list[bytes](), 0
        while True:
            event = self._http.next_event()
            match event:
                case h11.NEED_DATA:
                    await self._receive()
                case h11.Response():
                    status = event.status_code
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                case h11.Data():
                    size += len(event.data)
                    if size > MAX_ANSWER_BYTES:
                        raise h11.RemoteProtocolError("the answer is too large")
                    pieces.append(bytes(event.data))
                case h11.EndOfMessage():
                    self._keep()
                    return Reply(status, headers, b"".join(pieces))
                case _:
                    raise h11.RemoteProtocolError("the connection was closed")

    async def _receive(self) -> None:
        assert self._reader is not None
        self._http.receive_data(await self._reader.read(_PIECE_BYTES))

    def _keep(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
