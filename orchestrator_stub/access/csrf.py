# SPDX-License-Identifier: Apache-2.0
"""Forged requests: what another site makes an operator's browser send is refused.

Two walls, each enough by itself: the browser says which site a request comes from, and each form
sends the token of its session along, which no other site can read. A login has no session yet, so
there only the first one stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator_stub.access.secret import is_same
from orchestrator_stub.errors import Code, OrchestratorError

HEADER: Final = "x-csrf-token"
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # `none`: the operator did it, no site
_STANDARD_PORTS: Final = {"http://": ":80", "https://": ":443"}


def refuse_other_sites(headers: Mapping[str, str], scheme: str) -> None:
    """Refuse a request that changes something and comes from another site.

    Args:
        headers: Of the request, their names in lower case.
        scheme: `http` or `https`, as the server was asked.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    if headers.get("sec-fetch-site", "same-origin").lower() not in _OWN_SITES:
        raise _forged("the request comes from another site")
    origin = headers.get("origin")
    if origin is not None and _plain(origin) != _plain(f"{scheme}://{headers.get('host', '')}"):
        raise _forged("the request comes from another origin")


def check(presented: str | None, expected: str) -> None:
    """Refuse a request without the token of its session.

    Raises:
        OrchestratorError: `PERMISSION_DENIED`.
    """
    if not presented or not is_same(presented, expected):
        raise _forged("the form is not of this session")


def _forged(what: str) -> OrchestratorError:
    return OrchestratorError(
        Code.PERMISSION_DENIED, what, hint="Load the page again, and repeat what is wanted."
    )


def _plain(origin: str) -> str:
    origin = origin.strip().lower()
    for scheme, port in _STANDARD_PORTS.items():
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
