# SPDX-License-Identifier: Apache-2.0
"""One HTTP answer of the release service: a GET whose headers and body cannot run away.

1. The headers have a deadline as a whole, the body a minimum rate, and each piece of the body a
   deadline as well: what a peer sends around the body counts for nothing. So a body lasts no longer
   than its length at the minimum rate and two windows, and a peer that drips bytes is cut like one
   that is silent.
2. Bytes are taken as they come (`read1`): waiting for a full buffer would defeat rule 1.
3. No transfer is decoded: `Accept-Encoding: identity` is asked for, anything else is refused.
4. The time that the caller spends between two pieces is its own and does not count as slowness.
5. A transfer that is cancelled ends soon, whatever the peer does or leaves undone.
6. Nothing is read before the bandwidth allows it; that wait counts as the caller's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from puad.client.backoff import parse_retry_after
from puad.client.deadline import Deadline
from puad.client.reason import reason_of
from puad.config import Limits
from puad.core.cancelling import require_going_on
from puad.core.errors import Code, DownloadError, ServerError
from puad.core.printable import printable_line
from puad.download.bandwidth import Bandwidth
from puad.download.patience import BrokenTransferError, MinimumRate

_TRY_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_REFUSAL: Final = 400
_MOST_CHARACTERS: Final = 200


@contextlib.contextmanager
def http_get(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str],
    limits: Limits,
    cancelled: Callable[[], bool],
) -> Iterator[requests.Response]:
    """An answer whose headers have arrived and whose body has not been read.

    A connection whose answer was read to its stated end is kept; any other is closed on leaving.

    Raises:
        OperatorError: `CANCELLED`.
        BrokenTransferError: When there was no answer in time.
        DownloadError: `INSECURE_TRANSPORT`, when the URL or a redirect is not safe to follow.
    """
    with _http_errors(url), Deadline(limits.min_rate_window_s, _stop_when(cancelled)):
        answer = session.get(
            url,
            headers={"Accept-Encoding": "identity", **headers},
            stream=True,
            timeout=limits.socket_timeout_s,
        )
    with contextlib.closing(answer) as response:
        yield response


def _stop_when(cancelled: Callable[[], bool]) -> Callable[[], None]:
    return lambda: require_going_on(cancelled)


@contextlib.contextmanager
def _http_errors(url: str) -> Iterator[None]:
    try:
        yield
    except ServerError as error:
        raise DownloadError(error.code, error.what, on=error.on.partition("?")[0]) from error
    except (requests.TooManyRedirects, requests.exceptions.InvalidURL) as error:
        why = printable_line(str(error), _MOST_CHARACTERS)
        raise DownloadError(Code.DOWNLOAD_MISMATCH, f"A redirect failed: {why}", on=url) from error
    except (requests.exceptions.InvalidHeader, ValueError) as error:
        raise DownloadError(
            Code.DOWNLOAD_MISMATCH, f"The answer is no HTTP: {reason_of(error)}", on=url
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise BrokenTransferError(
            f"The release service cannot be asked: {reason_of(error)}", on=url
        ) from error


def require_usable(response: requests.Response, url: str, *usable: int) -> None:
    """Refuse an answer with another status, or one that is encoded.

    Raises:
        BrokenTransferError: When the server says to try later.
        DownloadError: `DOWNLOAD_REFUSED` or `DOWNLOAD_MISMATCH`.
    """
    status = response.status_code
    if status in _TRY_LATER:
        wait = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        raise BrokenTransferError(
            f"The release service answers with status {status}", on=url, retry_after_s=wait
        )
    if status not in usable:
        code = Code.DOWNLOAD_REFUSED if status >= _FIRST_REFUSAL else Code.DOWNLOAD_MISMATCH
        raise DownloadError(code, f"The release service answers with status {status}", on=url)
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise DownloadError(
            Code.DOWNLOAD_MISMATCH, f"The answer comes encoded as {encoding[:40]!r}", on=url
        )


def body_pieces(
    response: requests.Response,
    most_bytes: int,
    rate: MinimumRate,
    bandwidth: Bandwidth,
    cancelled: Callable[[], bool],
) -> Iterator[bytes]:
    """The body as it comes, cut at `most_bytes`; fewer when the answer ends before.

    Args:
        response: The answer, of which nothing has been read.
        most_bytes: Where to cut.
        rate: Counts what arrives, over all answers that one transfer takes.
        bandwidth: Says when the next bytes may come.
        cancelled: Asked before each piece and while waiting for it.

    Raises:
        BrokenTransferError: When it breaks off.
        DownloadError: When it is slower than the minimum rate.
        OperatorError: `CANCELLED`.
    """
    left = most_bytes
    while left > 0:
        require_going_on(cancelled)
        bandwidth.wait(cancelled)
        started = time.monotonic()
        try:
            with Deadline(rate.window_s, _stop_when(cancelled)):
                piece = response.raw.read1(min(left, bandwidth.piece_bytes), decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            rate.count(0, time.monotonic() - started)
            address = urlsplit(response.url)._replace(query="").geturl()  # a query may hold secrets
            raise BrokenTransferError(
                f"The transfer broke: {reason_of(error)}", on=address
            ) from error
        rate.count(len(piece), time.monotonic() - started)
        bandwidth.took(len(piece))
        if not piece:
            return
        left -= len(piece)
        yield piece
