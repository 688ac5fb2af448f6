# SPDX-License-Identifier: Apache-2.0
"""The reason why an HTTP call failed, in plain words.

requests and urllib3 wrap the cause several times and print all of it; a person wants to read
"the connection was refused".
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests

from puad.core.printable import printable_line

_DEEPEST = 10
_MOST_CHARACTERS = 200


def reason_of(error: BaseException) -> str:
    """A clause that says what went wrong, without the address.

    It may quote the peer, so it is one short line whatever that sent.
    """
    return printable_line(_told(list(_chain(error))), _MOST_CHARACTERS)


def _told(chain: list[BaseException]) -> str:
    for kind, text in _PLAIN:
        if any(isinstance(link, kind) for link in chain):
            return text
    for link in chain:
        if isinstance(link, ssl.SSLError):
            return f"TLS failed: {link.reason or link}"
    deepest = chain[-1]
    if isinstance(deepest, OSError) and deepest.strerror:
        return deepest.strerror
    return str(deepest) or type(deepest).__name__


_PLAIN: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (socket.gaierror, "its name does not resolve"),
    (ConnectionRefusedError, "the connection was refused"),
    (ConnectionResetError, "the connection was reset"),
    (requests.Timeout, "it did not answer in time"),
    (TimeoutError, "it did not answer in time"),
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(_DEEPEST):
        if link is None:
            return
        yield link
        inner = getattr(link, "reason", None)
        nested = inner if isinstance(inner, BaseException) else None
        wrapped = next((arg for arg in link.args if isinstance(arg, BaseException)), None)
        link = nested or wrapped or link.__cause__ or link.__context__
