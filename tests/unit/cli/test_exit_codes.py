# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from puad.cli.exit_codes import EXIT_CODES, ExitCode
from puad.core.codes import EXPLANATIONS, Code

DOCUMENT = Path(__file__).parents[3] / "docs" / "puadctl-json.md"


@pytest.mark.parametrize("code", list(Code))
def test_each_code_has_an_exit_code_and_an_explanation(code: Code) -> None:
    assert code in EXIT_CODES
    assert EXPLANATIONS[code].hint.endswith((".", "?"))


def test_only_nothing_to_do_is_success() -> None:
    assert [code for code, exit_code in EXIT_CODES.items() if exit_code == 0] == [
        Code.NOTHING_TO_DO
    ]


def test_exit_codes_are_those_of_sysexits() -> None:
    assert ExitCode.USAGE == os.EX_USAGE
    assert ExitCode.DATA == os.EX_DATAERR
    assert ExitCode.NO_INPUT == os.EX_NOINPUT
    assert ExitCode.UNAVAILABLE == os.EX_UNAVAILABLE
    assert ExitCode.SOFTWARE == os.EX_SOFTWARE
    assert ExitCode.OS == os.EX_OSERR
    assert ExitCode.CANNOT_CREATE == os.EX_CANTCREAT
    assert ExitCode.IO == os.EX_IOERR
    assert ExitCode.TEMPORARY == os.EX_TEMPFAIL
    assert ExitCode.PROTOCOL == os.EX_PROTOCOL
    assert ExitCode.NOT_ALLOWED == os.EX_NOPERM
    assert ExitCode.CONFIG == os.EX_CONFIG


def test_documented_table_is_the_one_in_force() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    documented = {
        word: int(number) for number, text in rows for word in re.findall(r"`([a-z-]+)`", text)
    }
    assert documented == {code.value: int(exit_code) for code, exit_code in EXIT_CODES.items()}
    assert {int(number) for number, _ in rows} == {int(exit_code) for exit_code in ExitCode}
