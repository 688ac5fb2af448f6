# SPDX-License-Identifier: Apache-2.0
"""An origin: where a repository of the release service lies, and how its files are had.

TUF calls a *fetcher* for metadata, which are small and come whole. The fetcher keeps the promise of
`FetcherInterface`: only TUF's DownloadError leaves it, with our own error as the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import quote

import requests
from tuf.api import exceptions
from tuf.ngclient.fetcher import FetcherInterface

from puad.config import Limits
from puad.core.errors import PuadError
from puad.download.bandwidth import Bandwidth
from puad.download.http_body import body_pieces, http_get, require_usable
from puad.download.http_source import HttpSource
from puad.download.patience import BrokenTransferError, MinimumRate, Patience
from puad.download.source import Source

_SMALL_FILE_TRIES: Final = 3  # whoever asked for metadata asks again soon anyway
_ABSENT: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Origin(Protocol):
    """A place that holds `metadata/` and `targets/`."""

    @property
    def base_url(self) -> str:
        """What stands before `/metadata/` and `/targets/`."""
        ...

    def fetcher(self) -> FetcherInterface:
        """How TUF gets at small files."""
        ...

    def source(self, path: str, file_size: int) -> Source:
        """The bytes of a big file; `path` is below the origin."""
        ...


class HttpOrigin:
    """A repository on an HTTP server.

    Args:
        base_url: Where it lies.
        session: From `puad.client.transport.make_session`.
        limits: Bounds on time and tries.
        cancelled: Ends the transfer of a small file and the waits between two tries.
        bandwidth: Shared by everything that comes from here; without one there is no limit.
    """

    def __init__(
        self,
        base_url: str,
        session: requests.Session,
        limits: Limits,
        cancelled: Callable[[], bool] = lambda: False,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = session
        self._limits = limits
        self._cancelled = cancelled
        self._bandwidth = bandwidth or Bandwidth()

    def fetcher(self) -> FetcherInterface:
        """How TUF gets at small files."""
        tries = min(self._limits.download_attempts, _SMALL_FILE_TRIES)
        limits = replace(self._limits, download_attempts=tries)
        return _HttpFetcher(self._session, limits, self._bandwidth, self._cancelled)

    def source(self, path: str, file_size: int) -> Source:
        """The bytes of a big file."""
        url = f"{self.base_url}/{quote(path)}"
        return HttpSource(self._session, url, file_size, self._limits, self._bandwidth)


class _HttpFetcher(FetcherInterface):
    def __init__(
        self,
        session: requests.Session,
        limits: Limits,
        bandwidth: Bandwidth,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._limits = limits
        self._bandwidth = bandwidth
        self._cancelled = cancelled

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Fetch a small file, again when the transfer breaks; no temporary file is made."""
        patience = Patience(self._limits)
        try:
            while True:
                try:
                    data = self._whole(url, max_length + 1)
                    break
                except BrokenTransferError as error:
                    patience.wait_after(error, self._cancelled)
        except PuadError as error:
            raise exceptions.DownloadError(str(error)) from error
        if len(data) > max_length:
            raise exceptions.DownloadLengthMismatchError(f"{url} has more than {max_length} bytes")
        return data

    def _whole(self, url: str, most_bytes: int) -> bytes:
        data = bytearray()  # pieces as small as the server likes would each be an object
        for piece in self._body(url, most_bytes):
            data += piece
        return bytes(data)

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._body(url, self._limits.index_bytes)
        except PuadError as error:
            raise exceptions.DownloadError(str(error)) from error

    def _body(self, url: str, most_bytes: int) -> Iterator[bytes]:
        with http_get(self._session, url, {}, self._limits, self._cancelled) as response:
            if response.status_code in _ABSENT:
                raise exceptions.DownloadHTTPError(f"{url} is not there", HTTPStatus.NOT_FOUND)
            require_usable(response, url, HTTPStatus.OK)
            rate = MinimumRate(self._limits)
            yield from body_pieces(response, most_bytes, rate, self._bandwidth, self._cancelled)
