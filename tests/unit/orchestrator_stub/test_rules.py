# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's pure rules."""

from __future__ import annotations

import pytest

from orchestrator_stub.errors import EXIT_STATUS, HTTP_STATUS, Code
from puad.core.addresses import is_loopback


def test_every_code_has_statuses() -> None:
    assert set(HTTP_STATUS) == set(EXIT_STATUS) == set(Code)
    assert all(status >= 400 for status in HTTP_STATUS.values())
    assert all(status > 0 for status in EXIT_STATUS.values())


@pytest.mark.parametrize(
    ("host", "stays"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_only_loopback_is_loopback(host: str, stays: bool) -> None:
    assert is_loopback(host) is stays
