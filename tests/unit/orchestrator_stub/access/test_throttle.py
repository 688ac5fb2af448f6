# SPDX-License-Identifier: Apache-2.0
"""The throttle: guessing gets slow, and a stranger keeps nobody out for long."""

from __future__ import annotations

import threading

import pytest

from orchestrator_stub.access.throttle import (
    MOST_KNOWN,
    OF_ADDRESS,
    OF_NAME,
    LoginThrottle,
    network_of,
)
from orchestrator_stub.errors import ThrottledError
from tests.unit.orchestrator_stub.access.given import ELSEWHERE, HOME, Clock


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    return LoginThrottle(clock)


def wait_s(throttle: LoginThrottle, name: str, address: str) -> int:
    """How long an attempt is put off; it counts as failed when it is not."""
    try:
        throttle.begin(name, address)
    except ThrottledError as error:
        return error.retry_after_s
    return 0


def fail(throttle: LoginThrottle, clock: Clock, name: str, address: str, times: int) -> None:
    """Fail as often as that, however long it takes."""
    for _ in range(times):
        while wait := wait_s(throttle, name, address):
            clock.now += wait


def test_first_failures_are_free(throttle: LoginThrottle) -> None:
    assert [wait_s(throttle, "ada", HOME) for _ in range(OF_NAME.free)] == [0] * OF_NAME.free
    assert wait_s(throttle, "ada", HOME) > 0


def test_wait_of_an_address_doubles_up_to_its_bound(throttle: LoginThrottle, clock: Clock) -> None:
    waits: list[int] = []
    for number in range(20):
        name = f"name-{number}"
        waits.append(wait_s(throttle, name, HOME))
        clock.now += waits[-1]
        if waits[-1]:
            throttle.begin(name, HOME)
    assert waits[:9] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert max(waits) == OF_ADDRESS.most_s


def test_attempt_within_the_wait_lengthens_nothing(throttle: LoginThrottle, clock: Clock) -> None:
    fail(throttle, clock, "ada", HOME, 8)
    first = wait_s(throttle, "ada", HOME)
    assert [wait_s(throttle, "ada", HOME) for _ in range(100)] == [first] * 100
    clock.now += first
    assert wait_s(throttle, "ada", HOME) == 0


def test_many_at_a_time_are_not_free(throttle: LoginThrottle) -> None:
    begun: list[int] = []
    threads = [
        threading.Thread(target=lambda: begun.append(wait_s(throttle, "ada", HOME)))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert begun.count(0) == OF_NAME.free


def test_stranger_delays_an_operator_by_seconds_only(throttle: LoginThrottle, clock: Clock) -> None:
    for number in range(500):  # from as many addresses as they like
        fail(throttle, clock, "ada", f"203.0.{number // 250}.{number % 250}", 1)
    wait = wait_s(throttle, "ada", HOME)
    assert 0 < wait <= OF_NAME.most_s
    clock.now += wait
    assert wait_s(throttle, "ada", HOME) == 0


def test_stranger_delays_nobody_who_has_logged_in_from_there(
    throttle: LoginThrottle, clock: Clock
) -> None:
    throttle.begin("ada", HOME)
    throttle.succeeded("ada", HOME)
    fail(throttle, clock, "ada", ELSEWHERE, 12)
    assert wait_s(throttle, "ada", "203.0.113.5") > 0
    assert wait_s(throttle, "ada", HOME) == 0


def test_own_password_earns_no_free_guesses_at_others(
    throttle: LoginThrottle, clock: Clock
) -> None:
    guesses = 0
    for number in range(40):
        guesses += wait_s(throttle, f"name-{number}", HOME) == 0
        if wait_s(throttle, "mallory", HOME) == 0:
            throttle.succeeded("mallory", HOME)
    assert guesses <= OF_ADDRESS.free


def test_failures_are_forgotten_after_a_quiet_time(throttle: LoginThrottle, clock: Clock) -> None:
    fail(throttle, clock, "ada", HOME, 10)
    clock.now += OF_ADDRESS.forgotten_s
    assert [wait_s(throttle, "ada", HOME) for _ in range(OF_NAME.free)] == [0] * OF_NAME.free


def test_memory_is_bounded(throttle: LoginThrottle) -> None:
    for number in range(MOST_KNOWN + 500):
        name, address = f"name-{number}", f"2001:db8:{number // 65536:x}:{number % 65536:x}::1"
        throttle.begin(name, address)
        throttle.succeeded(name, address)
        throttle.begin(name + "x" * 10_000, address)
    for known in (throttle._addresses._known, throttle._names._known, throttle._homes):
        assert len(known) <= MOST_KNOWN
    assert max(map(len, throttle._names._known)) <= 64


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
