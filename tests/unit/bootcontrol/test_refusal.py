# SPDX-License-Identifier: Apache-2.0
"""Each refusal of the service means one thing to the node, and nothing is left to chance."""

from __future__ import annotations

import pytest

from bootloader.errors import PREFIX, ErrorName
from puad.bootcontrol.refusal import CODES, refusal
from puad.core.errors import Code
from puad.system_bus import CallFailure, Failure

MAY_PASS = {"Busy", "NotSealed", "NoSpace", "Expired", "RebootFailed"}


def test_codes_have_each_word_of_the_service_and_no_other() -> None:
    assert list(CODES) == [name.value for name in ErrorName]


@pytest.mark.parametrize("name", ErrorName)
def test_refusal_is_transient_only_where_the_same_try_may_succeed_later(name: ErrorName) -> None:
    error = refusal("Disarm", CallFailure(Failure.REFUSED, PREFIX + name, "says why"))
    assert error.transient is (name.value in MAY_PASS)
    assert error.on == name.value


def test_refusal_busy_after_a_crash_is_tried_again() -> None:
    error = refusal("Disarm", CallFailure(Failure.REFUSED, f"{PREFIX}Busy", "Seal is at work"))
    assert error.code is Code.BOOT_CONTROL_BUSY
    assert error.transient
    assert error.failure_reason == "utbootconfiguration"
