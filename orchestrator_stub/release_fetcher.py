# SPDX-License-Identifier: Apache-2.0
"""How bytes come from the release service: over HTTP, or from a folder that holds its files.

The folder is for an orchestrator that serves the repository itself. Either way the TUF client
above trusts nothing of what comes. Plain HTTP is accepted only to the loopback address, redirects
included; there is one deadline for everything that one refresh fetches.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

DEADLINE_S: Final = 120.0
_CONNECT_S: Final = 10.0
_READ_S: Final = 20.0
_MAX_REDIRECTS: Final = 3
_CHUNK_BYTES: Final = 64 << 10


class ReleaseFetcher(FetcherInterface):
    """Fetches for one refresh; a context manager that closes its connections."""

    def __init__(self, ca_file: str = "", deadline_s: float = DEADLINE_S) -> None:
        self._session = _SecureSession()
        self._session.trust_env = False
        self._session.max_redirects = _MAX_REDIRECTS
        self._session.headers["Accept-Encoding"] = "identity"
        if ca_file:
            self._session.verify = ca_file
        self._end = time.monotonic() + deadline_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

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
            with self._session.get(url, stream=True, timeout=(_CONNECT_S, _READ_S)) as response:
                if response.status_code != requests.codes.ok:
                    raise DownloadHTTPError(
                        f"{url} was answered with status {response.status_code}",
                        response.status_code,
                    )
                for chunk in response.iter_content(_CHUNK_BYTES):
                    self._check_time(url)
                    yield chunk
        except (requests.RequestException, ValueError) as error:
            raise DownloadError(f"{url} cannot be fetched: {error}") from error

    def _check_time(self, url: str) -> None:
        if time.monotonic() > self._end:
            raise DownloadError(f"{url} did not come in time")


class _SecureSession(requests.Session):
    """A session that asks for each hop, redirects included, whether it is secure."""

    def get_adapter(self, url: str) -> BaseAdapter:
        parts = urlsplit(url)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise requests.exceptions.InvalidURL("plain HTTP is accepted only to loopback")
        return super().get_adapter(url)


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
