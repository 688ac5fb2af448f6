# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from puad.core.dbus_errors import code_of, error_name
from puad.core.errors import Code


@pytest.mark.parametrize("code", list(Code))
def test_error_name_of_each_code_leads_back_to_it(code: Code) -> None:
    name = error_name(code)
    assert re.fullmatch(r"org\.puad\.Agent1\.Error\.[A-Z][A-Za-z]+", name)
    assert code_of(name) is code


def test_error_name_is_camel_case() -> None:
    assert error_name(Code.NOTHING_TO_DO) == "org.puad.Agent1.Error.NothingToDo"


@pytest.mark.parametrize("name", ["", "org.puad.Agent1.Error.Nonsense", "NothingToDo"])
def test_code_of_a_foreign_name_is_none(name: str) -> None:
    assert code_of(name) is None
