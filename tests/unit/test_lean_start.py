# SPDX-License-Identifier: Apache-2.0
"""What a program does not load at its start: each boot of a slow node waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


@pytest.mark.parametrize("module", ["puad.daemon", "bootloader.main"])
def test_service_that_installs_nothing_goes_without_the_libraries_of_tuf(module: str) -> None:
    assert not {"tuf", "securesystemslib", "cryptography"} & loaded_by(f"import {module}")


@pytest.mark.parametrize("word", ["mark", "status"])
def test_puadctl_loads_the_command_that_it_is_asked_for(word: str) -> None:
    statement = f"from puad.cli.command import known; known({word!r})"
    prefix = "puad.cli.commands."
    names = {name for name in loaded_by(statement) if name.startswith(prefix)}
    assert names == {prefix + word}
