# SPDX-License-Identifier: Apache-2.0
"""How bytes come from the release service: over HTTP, or from a folder that holds its files.

The folder is for an orchestrator that serves the repository itself. Either way the TUF client
above trusts nothing of what comes. Rules for HTTP:

1. Plain HTTP is accepted only to the loopback address, and no redirect leads to it from HTTPS.
2. A few redirects are followed, by hand, and their bodies are never read.
3. There is one deadline for everything that one refresh fetches. When it passes, the connection
   that is in use is shut down: the peer may drip bytes for ever.
4. Bodies are read as they come, in bounded pieces, and never decoded.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urljoin, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError
from urllib3.util import parse_url

from puad.core.addresses import is_loopback, is_secure

DEADLINE_S: Final = 120.0
_TIMEOUT: Final = Timeout(connect=10, read=20)
_MAX_REDIRECTS: Final = 3
_CHUNK_BYTES: Final = 64 << 10
_OK: Final = 200
_CONNECTION: Final = re.compile(r"\w+\(host=.*?, port=\w+\): ")


class ReleaseFetcher(FetcherInterface):
    """Fetches for one refresh; a context manager that closes its connections."""

    def __init__(self, ca_file: str = "", deadline_s: float = DEADLINE_S) -> None:
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except OSError as error:
            raise DownloadError(f"the CA file {ca_file} cannot be used: {error}") from error
        self._end = time.monotonic() + deadline_s
        self._cutter = _Cutter(deadline_s)
        self._pools = PoolManager(ssl_context=context)
        self._pools.pool_classes_by_scheme = _pools_under(self._cutter)
        self._response: BaseHTTPResponse | None = None

    def __enter__(self) -> Self:
        self._cutter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cutter.stop()
        if self._response is not None:  # TUF leaves a body that is too long half read
            self._response.close()
        self._pools.clear()

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self._read_file(url) if url.startswith("file:") else self._read_http(url)

    def _read_file(self, url: str) -> Iterator[bytes]:
        try:
            with Path(unquote(urlsplit(url).path)).open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self._check_time(url)
                    yield chunk
        except FileNotFoundError as error:
            raise DownloadHTTPError(f"there is no {url}", 404) from error
        except OSError as error:
            raise DownloadError(f"{url} cannot be read: {error.strerror}") from error

    def _read_http(self, url: str) -> Iterator[bytes]:
        try:
            # A connection whose answer was read to its end is kept; any other is closed.
            self._response = self._follow(url)
            with contextlib.closing(self._response) as response:
                _require_usable(response, url)
                while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
                    self._check_time(url)
                    yield chunk
            self._check_time(url)  # a connection that was shut down looks like the end of a body
        except (HTTPError, OSError, ValueError) as error:
            raise DownloadError(f"{url} cannot be fetched: {_why(error)}") from error

    def _follow(self, url: str) -> BaseHTTPResponse:
        source = url
        for _hop in range(_MAX_REDIRECTS + 1):
            self._check_time(url)
            _require_secure(url, source)
            response = self._pools.request(
                "GET",
                url,
                headers={"Accept-Encoding": "identity"},
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=_TIMEOUT,
            )
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            source, url = url, urljoin(url, location)
        raise DownloadError(f"more than {_MAX_REDIRECTS} redirects, the last one to {url}")

    def _check_time(self, url: str) -> None:
        if time.monotonic() > self._end:
            raise DownloadError(f"{url} did not come in time")


class _Cutter:
    """Shuts the connection in use down when the time is up, and every later one."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._passed = False
        self._socket: socket.socket | None = None

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def watch(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection
            if self._passed:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self._passed = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            # The plain socket's method: a TLS socket's own one takes the TLS state away from
            # under its reader. An OSError means that it is closed already.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _pools_under(cutter: _Cutter) -> dict[str, type[HTTPConnectionPool]]:
    class PlainConnection(HTTPConnection):
        def getresponse(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- differs by release of urllib3
            cutter.watch(self.sock)
            return super().getresponse(*args, **options)

    class TlsConnection(HTTPSConnection):
        def getresponse(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- differs by release of urllib3
            cutter.watch(self.sock)
            return super().getresponse(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


def _why(error: Exception) -> str:
    """What went wrong, without the object that urllib3 says it of."""
    text = error.args[-1] if isinstance(error, ConnectTimeoutError) else error
    return _CONNECTION.sub("", str(text))


def _require_usable(response: BaseHTTPResponse, url: str) -> None:
    if response.status != _OK:
        raise DownloadHTTPError(
            f"{url} was answered with status {response.status}", response.status
        )
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise DownloadError(f"{url} comes encoded as {encoding[:40]!r}")


def _require_secure(url: str, source: str) -> None:
    parts = parse_url(url)  # the parser that the connection is made with
    if parts.scheme == "https":
        return
    if parse_url(source).scheme == "https":
        raise DownloadError(f"a redirect leads from HTTPS to {url}")
    if not is_loopback((parts.host or "").strip("[]")):
        raise DownloadError(f"{url} would be fetched without TLS, which only loopback may be")


def is_safe(url: str) -> bool:
    """Whether a release service may be read at this address: HTTPS, a folder, or loopback."""
    if url.startswith("file:///"):
        return True
    try:
        parts = parse_url(url)
    except HTTPError:
        return False
    host = (parts.host or "").strip("[]")
    return is_secure(parts.scheme or "", host)
