# SPDX-License-Identifier: Apache-2.0
"""What --help says: a word on everything, in lines that fit, and the exit codes of the manual."""

from __future__ import annotations

import argparse

import pytest

from puad.arguments import Parser
from tests.packaging.command_line import ALL, each_parser
from tests.packaging.manual_page import Page

EACH = [(parser.prog, parser) for make in ALL.values() for parser in each_parser(make())]
PAGES = {
    "puadctl": "puadctl.1",
    "puad": "puad.8",
    "puad-bootloader": "puad-bootloader.8",
    "puad-orchestrator": "puad-orchestrator.8",
    "puad-provision": "puad-provision.8",
    "puad-release": "puad-release.1",
}


@pytest.mark.parametrize(("name", "parser"), EACH)
def test_help_fits_80_columns(
    name: str, parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = parser.format_help()
    assert [line for line in text.splitlines() if len(line) > 79] == []
    assert f"usage: {name} " in text


@pytest.mark.parametrize(("name", "parser"), EACH)
def test_help_has_a_word_on_the_command_and_each_of_its_arguments(
    name: str, parser: argparse.ArgumentParser
) -> None:
    assert parser.description, name
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert [one.help for one in action._choices_actions if not one.help] == []
            assert len(action._choices_actions) == len(action.choices)
        else:
            assert (action.help or "").strip(), (name, action)


@pytest.mark.parametrize(("name", "parser"), EACH)
def test_help_names_a_value_as_such(name: str, parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if action.option_strings and action.nargs != 0:
            assert isinstance(action.metavar, str), (name, action)
            assert len(action.metavar) < 12, (name, action)


@pytest.mark.parametrize("name", sorted(ALL))
def test_help_of_a_program_tells_its_exit_codes(name: str) -> None:
    parser = ALL[name]()
    codes = vars(parser)["exit_codes"]
    assert list(codes) == sorted(codes)
    assert {0, 64} <= codes.keys()
    told = " ".join(parser.format_help().split())
    assert all(f"{int(code)} {meaning}" in told for code, meaning in codes.items())


@pytest.mark.parametrize("name", sorted(PAGES))
def test_exit_codes_of_the_help_are_those_of_the_manual(name: str) -> None:
    listed = {int(entry.tag) for entry in Page(PAGES[name]).in_section("EXIT STATUS")}
    assert vars(ALL[name]())["exit_codes"].keys() == listed


def test_exit_code_stays_on_the_line_of_its_meaning() -> None:
    parser = Parser(prog="p")
    parser.exit_codes = dict.fromkeys(range(10, 40), "x" * 9)
    lines = parser.format_help().splitlines()
    assert not any(line.endswith(str(code)) for line in lines for code in parser.exit_codes)
