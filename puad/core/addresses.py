# SPDX-License-Identifier: Apache-2.0
"""Addresses: which server may be asked, and which would be asked without TLS.

HTTPS goes to any host, plain HTTP to the loopback address only. The configuration and the transport
keep the same rule: an address that would never be asked is refused before the node runs with it.
"""

from __future__ import annotations

import ipaddress


def is_secure(scheme: str, *hosts: str) -> bool:
    """Whether an address may be asked.

    Args:
        scheme: Of the URL, in lower case.
        hosts: The host as each parser reads it that has a say; every reading must be good.
    """
    if scheme == "https":
        return all(hosts)
    return scheme == "http" and all(is_loopback(host) for host in hosts)


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
