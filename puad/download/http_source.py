# SPDX-License-Identifier: Apache-2.0
"""A source over HTTP: exact byte ranges of one file, over a connection that is kept alive.

The size of the file is signed, so the whole answer is known before it comes: status 206, the
Content-Range to the byte, the length, sent as it is. Anything else is a server, proxy or cache that
gives other bytes than were asked for, or more, and is refused before a byte of it is used. A
transfer that breaks goes on where it stopped; no byte is asked for twice.

The name of a published file has its hash, so it never changes; a server where it does is broken or
mixes two files up, and is refused as well, before its bytes are mixed here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

import requests

from puad.config import Limits
from puad.core.errors import Code, DownloadError
from puad.download.bandwidth import Bandwidth
from puad.download.http_body import body_pieces, http_get, require_usable
from puad.download.patience import BrokenTransferError, MinimumRate, Patience

# A weak one (`W/"..."`) says nothing of the bytes; an endless one would be sent back each time.
_STRONG_TAG: Final = re.compile(r'"[!#-~]{0,200}"')


@dataclass(frozen=True, slots=True)
class _Version:
    """What a server says of which version of a file it has; empty where it says nothing."""

    tag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        tag = headers.get("ETag", "")
        return cls(tag if _STRONG_TAG.fullmatch(tag) else "", headers.get("Last-Modified", ""))

    def differs_from(self, other: _Version) -> bool:
        """Whether both say something of the same kind, and not the same."""
        if self.tag and other.tag:
            return self.tag != other.tag
        return bool(self.modified and other.modified) and self.modified != other.modified


class HttpSource:
    """One file of the release service.

    Args:
        session: From `puad.client.transport.make_session`.
        url: The file.
        file_size: Its signed size, in bytes.
        limits: Bounds on time and tries.
        bandwidth: Shared with the other connections; without one there is no limit.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        file_size: int,
        limits: Limits,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._session = session
        self._url = url
        self._file_size = file_size
        self._limits = limits
        self._bandwidth = bandwidth or Bandwidth()
        self._version = _Version()
        self._rate = MinimumRate(limits)
        self._patience = Patience(limits)

    def read(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        """Give exactly `length` bytes from `offset` on (see `Source`)."""
        end = offset + length
        while offset < end:
            try:
                for piece in self._transfer(offset, end - offset, cancelled):
                    offset += len(piece)
                    self._patience.received(len(piece))
                    yield piece
            except BrokenTransferError as error:
                self._patience.wait_after(error, cancelled)
            else:
                if offset < end:
                    self._patience.wait_after(self._too_short(end - offset), cancelled)

    def _transfer(self, offset: int, length: int, cancelled: Callable[[], bool]) -> Iterator[bytes]:
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        if self._version.tag:
            headers["If-Range"] = self._version.tag
        asked = time.monotonic()
        with http_get(self._session, self._url, headers, self._limits, cancelled) as response:
            self._rate.count_beginning(time.monotonic() - asked)
            require_usable(response, self._url, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.OK)
            self._require_same_file(response)
            self._require_range(response, offset, length)
            yield from body_pieces(response, length, self._rate, self._bandwidth, cancelled)

    def _require_same_file(self, response: requests.Response) -> None:
        if response.history:  # a mirror has tags and times of its own, and there may be several
            return
        given, known = _Version.of(response.headers), self._version
        if given.differs_from(known):
            raise self._mismatch("The file was replaced by another one while it was fetched")
        self._version = _Version(known.tag or given.tag, known.modified or given.modified)

    def _require_range(self, response: requests.Response, offset: int, length: int) -> None:
        expected = length
        if response.status_code == HTTPStatus.OK:
            if offset:
                raise self._mismatch("The answer is the whole file where a part was asked for")
            expected = self._file_size
        else:
            given = response.headers.get("Content-Range", "")
            if given != f"bytes {offset}-{offset + length - 1}/{self._file_size}":
                raise self._mismatch(f"The answer is for another range, {given[:80]!r}")
        transfer = response.headers.get("Transfer-Encoding")
        if transfer is not None:  # it would make the stated length mean nothing
            raise self._mismatch(f"The answer is transferred as {transfer[:40]!r}")
        stated = response.headers.get("Content-Length", str(expected))
        if stated != str(expected):
            raise self._mismatch(f"The answer has {stated[:20]} bytes in place of {expected}")

    def _too_short(self, missing_bytes: int) -> BrokenTransferError:
        return BrokenTransferError(f"The answer ends {missing_bytes} bytes too early", on=self._url)

    def _mismatch(self, what: str) -> DownloadError:
        return DownloadError(Code.DOWNLOAD_MISMATCH, what, on=self._url)
