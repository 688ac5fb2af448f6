# SPDX-License-Identifier: Apache-2.0
"""Passwords: the library's parameters, equal work for unknown names, and bounded memory."""

from __future__ import annotations

import threading
import time
from typing import Literal

import argon2
import pytest

from orchestrator_stub.access.passwords import AT_ONCE, MOST_WAITING, Passwords, check_new
from orchestrator_stub.errors import Code, OrchestratorError, ThrottledError
from tests.unit.orchestrator_stub.access.given import PASSWORD


class CountingHasher(argon2.PasswordHasher):
    """Notes what it verifies, and stands still when it is told to."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.verified: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.go_on.set()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.verified.append(str(hash))
        self.begun.release()
        assert self.go_on.wait(60)
        return super().verify(hash, password)


def test_hash_has_the_librarys_parameters_and_not_the_password() -> None:
    stored = Passwords().hash_of(PASSWORD)
    assert argon2.extract_parameters(stored) == argon2.extract_parameters(
        argon2.PasswordHasher().hash("x")
    )
    assert PASSWORD not in stored
    assert stored != Passwords().hash_of(PASSWORD), "no salt"


def test_right_password_is_right_and_every_other_is_wrong(passwords: Passwords) -> None:
    stored = passwords.hash_of(PASSWORD)
    assert passwords.is_right(stored, PASSWORD)
    for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 100_000, "\udc80"):
        assert not passwords.is_right(stored, wrong)


def test_password_is_the_same_however_a_keyboard_spells_it(passwords: Passwords) -> None:
    stored = passwords.hash_of("Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}ne Traktoren")
    assert passwords.is_right(stored, "Gru\N{COMBINING DIAERESIS}ne Traktoren")


@pytest.mark.parametrize("stored", ["", "nonsense", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA"])
def test_damaged_hash_lets_nobody_in(passwords: Passwords, stored: str) -> None:
    assert not passwords.is_right(stored, PASSWORD)


def test_unknown_name_costs_the_same_verification() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    passwords.prepare()
    stored = passwords.hash_of(PASSWORD)
    assert passwords.is_right(stored, PASSWORD)
    assert not passwords.is_right(None, PASSWORD)
    known, unknown = hasher.verified
    assert argon2.extract_parameters(known) == argon2.extract_parameters(unknown)


def test_password_is_outdated_when_the_parameters_rise(passwords: Passwords) -> None:
    stored = passwords.hash_of(PASSWORD)
    assert not passwords.is_outdated(stored)
    assert Passwords().is_outdated(stored)


def test_only_a_few_are_verified_at_a_time_and_a_few_more_wait() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    stored = passwords.hash_of(PASSWORD)
    passwords.prepare()
    hasher.go_on.clear()
    right: list[bool] = []
    threads = [
        threading.Thread(target=lambda: right.append(passwords.is_right(stored, PASSWORD)))
        for _ in range(AT_ONCE + MOST_WAITING)
    ]
    for thread in threads:
        thread.start()
    for _ in range(AT_ONCE):
        assert hasher.begun.acquire(timeout=60)
    # every place is taken as soon as the last thread has come to its turn's door
    while passwords._places._value:
        time.sleep(0.001)
    with pytest.raises(ThrottledError) as caught:
        passwords.is_right(stored, PASSWORD)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.retry_after_s > 0
    assert len(hasher.verified) == AT_ONCE
    hasher.go_on.set()
    for thread in threads:
        thread.join(60)
    assert right == [True] * len(threads)


@pytest.mark.parametrize(
    "password",
    ["", "short", "x" * 12, "x" * 257, "ada-lovelace", "Ada-LovelaceADA-lovelace"],
)
def test_new_password_that_would_be_guessed_is_refused(password: str) -> None:
    with pytest.raises(OrchestratorError) as caught:
        check_new(password, "ada-lovelace")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize("password", [PASSWORD, "a" + "b" * 11, "é" * 6 + "\N{SNOWMAN}" * 6])
def test_new_password_that_is_long_enough_is_taken(password: str) -> None:
    check_new(password, "ada")
