# SPDX-License-Identifier: Apache-2.0
"""What every program takes alike: --version, and wrong use ends with 64."""

from __future__ import annotations

import os

import pytest

import bootloader
import puad
from bootloader import main as bootloader_main
from tests.packaging.command_line import ALL


def test_versions_of_what_is_released_together_are_the_same() -> None:
    assert bootloader.__version__ == puad.__version__


@pytest.mark.parametrize("name", sorted(ALL))
def test_version_names_the_program(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ALL[name]().parse_args(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{name} {puad.__version__}\n"


@pytest.mark.parametrize("name", sorted(ALL))
def test_wrong_use_is_exit_code_64_and_tells_the_usage(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        ALL[name]().parse_args(["--unheard-of"])
    assert caught.value.code == os.EX_USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert f"usage: {name} " in said.err


def test_wrong_use_of_a_command_is_exit_code_64(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["firmware", "boil"], ["boot", "--events"]):
        with pytest.raises(SystemExit) as caught:
            bootloader_main._parser().parse_args(words)
        assert caught.value.code == os.EX_USAGE


def test_unknown_option_of_a_command_is_told_with_the_usage_of_that_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        ALL["puad-orchestrator"]().parse_args(["serve", "--realease-dir", "x"])
    assert caught.value.code == os.EX_USAGE
    said = capsys.readouterr().err
    assert "usage: puad-orchestrator serve " in said
    assert "--realease-dir x; did you mean --release-dir?" in said
    assert "hint: puad-orchestrator serve --help" in said
