# SPDX-License-Identifier: Apache-2.0
"""Forged requests: what the browser says of its origin, and the token of the form."""

from __future__ import annotations

import pytest

from orchestrator_stub.access import csrf
from orchestrator_stub.errors import Code, OrchestratorError

HOST = "orchestrator.example:8443"
OWN = f"https://{HOST}"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": OWN},
        {"origin": OWN.upper()},
        {"sec-fetch-site": "same-origin", "origin": OWN},
        {"sec-fetch-site": "none"},
    ],
)
def test_request_of_an_own_page_is_let_through(headers: dict[str, str]) -> None:
    csrf.refuse_other_sites({"host": HOST, **headers}, "https")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": f"http://{HOST}"},
        {"origin": "https://orchestrator.example"},
        {"origin": f"{OWN}.evil.example"},
        {"origin": f"https://evil.example/{OWN}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": OWN},
        {"sec-fetch-site": "Cross-Site", "origin": OWN},
        {"sec-fetch-site": ""},
    ],
)
def test_request_of_another_page_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(OrchestratorError) as caught:
        csrf.refuse_other_sites({"host": HOST, **headers}, "https")
    assert caught.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("https", "o.example", "https://o.example"),
        ("https", "o.example:443", "https://o.example"),
        ("http", "[::1]", "http://[::1]:80"),
        ("http", "127.0.0.1:8443", "http://127.0.0.1:8443"),
    ],
)
def test_standard_port_may_be_said_or_not(scheme: str, host: str, origin: str) -> None:
    csrf.refuse_other_sites({"host": host, "origin": origin}, scheme)


def test_origin_without_a_host_to_compare_is_refused() -> None:
    with pytest.raises(OrchestratorError):
        csrf.refuse_other_sites({"origin": OWN}, "https")


def test_form_needs_the_token_of_its_session() -> None:
    csrf.check("t" * 43, "t" * 43)
    for presented in (None, "", "t" * 42, "t" * 44, "T" * 43, "\udc80"):
        with pytest.raises(OrchestratorError) as caught:
            csrf.check(presented, "t" * 43)
        assert caught.value.code is Code.PERMISSION_DENIED
        assert "t" * 43 not in str(caught.value)


def test_empty_token_is_never_right() -> None:
    with pytest.raises(OrchestratorError):
        csrf.check("", "")
