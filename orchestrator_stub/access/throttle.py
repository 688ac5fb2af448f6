# SPDX-License-Identifier: Apache-2.0
"""The throttle of logins: guessing gets slow, and nobody can keep an operator out for long.

1. Failures are counted for the address that they come from, and for the name that is tried; after
   some that are free, each doubles the wait. An attempt within the wait is refused without a look
   at its password, and lengthens nothing.
2. The wait of an address grows to a quarter of an hour. That of a name, which a stranger can
   cause, ends after 10 seconds, and does not hold for an address that the operator has logged in
   from before.
3. An attempt counts as failed from its beginning, so that many at a time are not free.
4. Memory is bounded: of more than 10,000 addresses or names, whatever failed longest ago is
   forgotten. It is this process's memory: a restart forgets, and each process counts for itself.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator_stub.errors import ThrottledError

MOST_KNOWN: Final = 10_000
_NAME_CHARS: Final = 64
_V6_NETWORK: Final = 64


@dataclass(frozen=True, slots=True)
class Rule:
    """How long whoever failed has to wait.

    Attributes:
        free: Failures without a wait; each one after them doubles it, from one second on.
        most_s: The longest wait.
        forgotten_s: After so long without a failure they are forgotten.
    """

    free: int
    most_s: float
    forgotten_s: float


OF_ADDRESS: Final = Rule(free=5, most_s=900.0, forgotten_s=3600.0)
OF_NAME: Final = Rule(free=5, most_s=10.0, forgotten_s=900.0)


class LoginThrottle:
    """Counts failed logins, for all threads of a server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses = _Failures(OF_ADDRESS)
        self._names = _Failures(OF_NAME)
        self._homes: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str, address: str) -> None:
        """Begin an attempt, which counts as failed until `succeeded` says otherwise.

        Raises:
            ThrottledError: When it comes too early.
        """
        name, network = name[:_NAME_CHARS], network_of(address)
        with self._lock:
            now = self._clock()
            wait_s = self._addresses.wait_s(network, now)
            if (name, network) not in self._homes:
                wait_s = max(wait_s, self._names.wait_s(name, now))
            if wait_s > 0:
                raise ThrottledError("too many logins have failed", retry_after_s=math.ceil(wait_s))
            self._addresses.add(network, now)
            self._names.add(name, now)

    def succeeded(self, name: str, address: str) -> None:
        """The attempt that was begun had the right password."""
        name, network = name[:_NAME_CHARS], network_of(address)
        with self._lock:
            self._addresses.forgive(network)
            self._names.forgive(name)
            self._homes[name, network] = None
            self._homes.move_to_end((name, network))
            if len(self._homes) > MOST_KNOWN:
                self._homes.popitem(last=False)


class _Failures:
    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        count, last = self._current(key, now)
        over = count - self._rule.free
        if over < 0:
            return 0.0
        # 2 to the power of more than 30 is beyond every longest wait
        return last + min(2.0 ** min(over, 30), self._rule.most_s) - now

    def add(self, key: str, now: float) -> None:
        count, _ = self._current(key, now)
        self._known[key] = (count + 1, now)
        self._known.move_to_end(key)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take one back; whoever knows one password has not earned free guesses at others."""
        count, last = self._known.get(key, (0, 0.0))
        if count > 1:
            self._known[key] = (count - 1, last)
        else:
            self._known.pop(key, None)

    def _current(self, key: str, now: float) -> tuple[int, float]:
        count, last = self._known.get(key, (0, now))
        return (0, now) if now - last >= self._rule.forgotten_s else (count, last)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is what one site gets."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_NAME_CHARS]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _V6_NETWORK), strict=False))
