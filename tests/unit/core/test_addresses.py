# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from puad.core.addresses import is_secure


@pytest.mark.parametrize(
    ("scheme", "hosts", "secure"),
    [
        ("https", ("example.org",), True),
        ("https", ("",), False),
        ("https", ("example.org", ""), False),
        ("http", ("localhost",), True),
        ("http", ("127.255.0.9",), True),
        ("http", ("::1",), True),
        ("http", ("127.0.0.1", "example.org"), False),
        ("http", ("example.org",), False),
        ("http", ("10.0.0.1",), False),
        ("http", ("0.0.0.0",), False),
        ("http", ("localhost.example.org",), False),
        ("http", ("",), False),
        ("ftp", ("127.0.0.1",), False),
        ("", ("127.0.0.1",), False),
    ],
)
def test_is_secure_with_tls_or_on_loopback(
    scheme: str, hosts: tuple[str, ...], secure: bool
) -> None:
    assert is_secure(scheme, *hosts) is secure
