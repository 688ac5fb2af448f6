# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from puad.client.transport import require_secure
from puad.core.errors import Code, ServerError


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://192.0.2.1:8443/x",
        "HTTPS://example.org",
        "http://127.0.0.1:8080/x",
        "http://127.255.0.9/",
        "http://[::1]:8080/",
        "http://localhost/",
        "HTTP://LocalHost:1/",
    ],
)
def test_require_secure_takes_https_and_loopback(url: str) -> None:
    require_secure(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "https://",
        "http://",
        "http:///x",
        "http://example.org/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://127.0.0.1.example.org/",
        "http://localhost.example.org/",
        "http://127.0.0.1@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org#@127.0.0.1/",
        "http://2130706433/",
        "http://[::1",
        "ftp://127.0.0.1/",
        "file:///etc/shadow",
    ],
)
def test_require_secure_refuses_everything_else(url: str) -> None:
    with pytest.raises(ServerError) as caught:
        require_secure(url)
    assert caught.value.code is Code.INSECURE_TRANSPORT
    assert caught.value.on == url
