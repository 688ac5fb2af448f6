# SPDX-License-Identifier: Apache-2.0
"""The transport: HTTP sessions that are safe to point at a hostile peer.

1. TLS has a floor (1.3 unless the configuration says 1.2). With a CA file only that CA counts,
   else the system's; the bundle that requests brings along never does.
2. Plain HTTP goes to the loopback address only. Every hop of a redirect is judged anew, and none
   leads from HTTPS back to plain HTTP, not even to loopback.
3. Redirects are bounded, followed only for GET and HEAD, and their bodies are never read: requests
   itself reads them whole, without a bound, even when it does not follow them.
4. The environment (proxies, netrc, CA bundles) changes nothing, and no cookie is kept.
5. Certificates are judged at the node's clock; at the clock floor when the clock stands below it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

import puad
from puad.client.connections import POOLS, TlsSocket, tls_socket_at
from puad.core.addresses import is_secure
from puad.core.errors import Code, ConfigError, ServerError

TLS_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
MOST_REDIRECTS: Final = 3
_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME
_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})


def make_session(
    tls_min: str,
    ca_file: str = "",
    *,
    max_redirects: int = MOST_REDIRECTS,
    judged_at: datetime | None = None,
) -> requests.Session:
    """A session that keeps the rules above.

    Args:
        tls_min: Lowest TLS version, `1.2` or `1.3`.
        ca_file: The only CA certificates to trust; empty for the system's.
        max_redirects: How many redirects one call follows.
        judged_at: The clock floor, when the clock is certainly wrong.

    Raises:
        ConfigError: `CONFIG_INVALID`, when the CA file cannot be used.
    """
    session = _Session()
    session.trust_env = False
    session.max_redirects = max_redirects
    session.headers["User-Agent"] = f"puad/{puad.__version__}"
    session.headers["Accept-Encoding"] = "identity"
    session.cookies = _NoCookies()
    adapter = _Adapter(_tls_context(tls_min, ca_file, judged_at))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def require_secure(url: str) -> None:
    """Refuse a URL that is neither HTTPS nor plain HTTP to the loopback address.

    Raises:
        ServerError: `INSECURE_TRANSPORT`.
    """
    try:
        parts = urlsplit(url)
        # Two parsers must agree on the host, so that no spelling is judged by one of them and
        # connected to by the other.
        hosts = {parts.hostname or "", (parse_url(url).host or "").strip("[]").lower()}
    except (ValueError, LocationParseError) as error:
        raise ServerError(Code.INSECURE_TRANSPORT, "This is not a URL", on=url) from error
    if not is_secure(parts.scheme, *hosts):
        raise ServerError(
            Code.INSECURE_TRANSPORT, "This address would be asked without TLS", on=url
        )


def _tls_context(tls_min: str, ca_file: str, judged_at: datetime | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as error:
        raise ConfigError(
            Code.CONFIG_INVALID, f"The CA file cannot be used: {error}", on=ca_file
        ) from error
    context.minimum_version = TLS_VERSIONS[tls_min]
    context.sslsocket_class = TlsSocket
    if judged_at is not None:
        context.verify_flags |= _NO_CHECK_TIME
        context.sslsocket_class = tls_socket_at(judged_at)
    return context


class _NoCookies(RequestsCookieJar):
    """Takes none: a policy would refuse them only after all of them were parsed."""

    def extract_cookies(self, response: Any, request: Any) -> None:  # noqa: ANN401 -- as its base
        """Look at nothing."""


class _Session(requests.Session):
    def resolve_redirects(  # type: ignore[override]  # only what Session.send passes
        self,
        resp: requests.Response,
        req: requests.PreparedRequest,
        *,
        yield_requests: bool = False,
        **options: Any,  # noqa: ANN401 -- handed through from requests to requests
    ) -> Iterator[requests.Response]:
        """Follow redirects by the rules above, one answer a hop."""
        if yield_requests:  # asked for the request that would follow; nobody here uses it
            return
        for _hop in range(self.max_redirects):
            target = self._target(resp)
            if target is None or req.method not in _SAFE_TO_REPEAT:
                return
            resp.close()
            req = _following(req, resp.url, target)
            resp = self.send(req, allow_redirects=False, **options)
            yield resp
        if self._target(resp) is not None:
            resp.close()
            raise requests.TooManyRedirects(f"more than {self.max_redirects} redirects")

    def _target(self, resp: requests.Response) -> str | None:
        try:
            location = self.get_redirect_target(resp)
            return None if location is None else urljoin(resp.url, location)
        except ValueError as error:  # no UTF-8, or no URL
            resp.close()
            raise requests.exceptions.InvalidURL("a redirect leads to no URL") from error


def _following(req: requests.PreparedRequest, source: str, url: str) -> requests.PreparedRequest:
    require_secure(url)
    if urlsplit(source).scheme == "https" and urlsplit(url).scheme != "https":
        raise ServerError(
            Code.INSECURE_TRANSPORT, "A redirect leads from HTTPS to plain HTTP", on=url
        )
    following = req.copy()
    following.prepare_url(url, None)
    following.headers.pop("Authorization", None)  # meant for the first host alone
    return following


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 -- the signature of requests
        **options: Any,  # noqa: ANN401 -- handed through from requests to urllib3
    ) -> None:
        """Use our TLS context, and connections that keep the deadline."""
        super().init_poolmanager(
            connections, maxsize, block=block, ssl_context=self._context, **options
        )
        self.poolmanager.pool_classes_by_scheme = POOLS

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401, ARG002 -- the signature of requests
        """Leave the trust anchors to the TLS context; requests would add its own bundle."""
        conn.cert_reqs = "CERT_REQUIRED"

    def send(  # type: ignore[override]  # only what Session.send passes
        self,
        request: requests.PreparedRequest,
        **options: Any,  # noqa: ANN401 -- handed through from requests to requests
    ) -> requests.Response:
        """Judge every request, whoever made it, before anything is sent."""
        require_secure(request.url or "")
        options["verify"] = True
        return super().send(request, **options)
