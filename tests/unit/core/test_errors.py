# SPDX-License-Identifier: Apache-2.0
"""The error tree: every code is explained, and says the same thing everywhere."""

import re

import pytest

from puad.core import errors
from puad.core.codes import EXPLANATIONS, Code, Explanation, FailureReason
from puad.core.dbus_errors import code_of, error_name
from puad.core.errors import PuadError, ServerError, StorageError, TrustError, WireError

CLASSES = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def test_explanations_every_code_has_one_and_nothing_else() -> None:
    assert set(EXPLANATIONS) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_explanation_hint_is_one_plain_sentence(code: Code) -> None:
    hint = EXPLANATIONS[code].hint
    assert re.fullmatch(r"[A-Z].{8,118}[.?]", hint)
    assert EXPLANATIONS[code].failure_reason in FailureReason


@pytest.mark.parametrize("code", Code)
def test_code_is_a_word_and_a_dbus_name(code: Code) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value)
    assert code.name == code.value.upper().replace("-", "_")
    assert re.fullmatch(r"org\.puad\.Agent1\.Error\.[A-Z][A-Za-z]+", error_name(code))
    assert code_of(error_name(code)) is code


def test_code_of_a_foreign_name_is_none() -> None:
    assert code_of("org.freedesktop.DBus.Error.NoReply") is None
    assert code_of("org.puad.Agent1.Error.Other") is None


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_error_has_what_its_code_says(kind: type[PuadError]) -> None:
    error = kind(Code.DISK_FULL, "the store cannot be written", on="/var/lib/puad/state.json")
    explanation = EXPLANATIONS[Code.DISK_FULL]
    assert isinstance(error, PuadError)
    assert str(error) == "the store cannot be written (/var/lib/puad/state.json)"
    assert (error.hint, error.transient, error.failure_reason) == (
        explanation.hint,
        explanation.transient,
        explanation.failure_reason,
    )
    assert kind.__name__.endswith("Error")
    assert kind.__doc__


def test_error_on_nothing_in_particular_is_its_sentence() -> None:
    assert str(WireError(Code.SERVER_ANSWER_INVALID, "it is not JSON")) == "it is not JSON"


def test_error_is_told_apart_by_its_class() -> None:
    error = TrustError(Code.SIGNATURE_INVALID, "the signature is wrong")
    assert not isinstance(error, StorageError)
    assert not error.transient
    assert error.failure_reason is FailureReason.SIGNATURE_CHECK


def test_server_error_asks_for_no_pause_by_itself() -> None:
    error = ServerError(Code.SERVER_UNREACHABLE, "no route")
    assert error.retry_after_s is None
    assert error.transient


def test_explanation_of_something_new_is_permanent_and_unspecified() -> None:
    assert Explanation("Do it.") == Explanation(
        "Do it.", transient=False, failure_reason=FailureReason.UNSPECIFIED
    )
