# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
from typing import Any

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from puad.client.reason import reason_of


def test_reason_finds_the_cause_inside_the_wrappings() -> None:
    no_pool: Any = None  # none is needed here
    refused = NewConnectionError(no_pool, "no")
    refused.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    wrapped = requests.ConnectionError(MaxRetryError(no_pool, "/", refused))
    assert reason_of(wrapped) == "the connection was refused"


def test_reason_of_an_unknown_system_error_is_its_text() -> None:
    unreachable = OSError(errno.ENETUNREACH, "Network is unreachable")
    wrapped = requests.ConnectionError(ProtocolError("broken", unreachable))
    assert reason_of(wrapped) == "Network is unreachable"


def test_reason_of_an_error_without_text_is_its_kind() -> None:
    assert reason_of(requests.ConnectionError()) == "ConnectionError"


def test_reason_of_errors_that_cause_each_other_ends() -> None:
    first, second = requests.ConnectionError("first"), requests.ConnectionError("second")
    first.__cause__, second.__cause__ = second, first
    assert reason_of(first) in {"first", "second"}
