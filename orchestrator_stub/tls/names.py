# SPDX-License-Identifier: Apache-2.0
"""The names and addresses that a certificate vouches for."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from orchestrator_stub.errors import Code, OrchestratorError

MOST_NAMES: Final = 32
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_DNS: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Names:
    """DNS names in lower case, and IP addresses; at least one of them."""

    dns: tuple[str, ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them as they are written."""
        return (*self.dns, *map(str, self.addresses))


def parse(texts: Sequence[str]) -> Names:
    """The names of a list, each once.

    Raises:
        OrchestratorError: `INVALID_ARGUMENT`, naming what is neither name nor address.
    """
    dns: dict[str, None] = {}
    addresses: dict[IPv4Address | IPv6Address, None] = {}
    for text in texts:
        try:
            addresses[ipaddress.ip_address(text)] = None
        except ValueError:
            name = text.lower().removesuffix(".")
            # what ends in a number is an address that somebody has mistyped
            if not _DNS.fullmatch(name) or name.rpartition(".")[2].isdigit():
                raise OrchestratorError(
                    Code.INVALID_ARGUMENT,
                    f"this is neither a host name nor an IP address ({text!r})",
                    hint="Write a name as DNS has it, without * and port.",
                ) from None
            dns[name] = None
    if not 0 < len(dns) + len(addresses) <= MOST_NAMES:
        raise OrchestratorError(
            Code.INVALID_ARGUMENT, f"a certificate has 1 to {MOST_NAMES} names and addresses"
        )
    return Names(tuple(dns), tuple(addresses))


def of_this_machine() -> Names:
    """What a machine is reached at without further knowledge: its host name, and the loopback."""
    own = socket.gethostname()
    try:
        return parse((own, *_LOCAL))
    except OrchestratorError:
        return parse(_LOCAL)  # a host name that DNS could not have
