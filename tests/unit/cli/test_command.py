# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse

import pytest

from puad.cli.command import Command, known
from puad.cli.outcome import Outcome
from puad.cli.parser import build_parser
from puad.cli.screen import Screen

WORDS = {
    "cancel": [],
    "check": [],
    "config": ["show"],
    "history": [],
    "install": ["/srv/release"],
    "mark": ["good"],
    "retry": [],
    "rollback": [],
    "run": [],
    "slots": [],
    "status": [],
}


def test_known_finds_every_command() -> None:
    assert list(known()) == list(WORDS)


def test_two_commands_of_one_name_are_a_bug() -> None:
    known()
    with pytest.raises(TypeError, match="two commands are called status"):

        class Again(Command, name="status", summary="again"):
            def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
                raise NotImplementedError


@pytest.mark.parametrize("name", WORDS)
def test_each_command_takes_the_common_options(name: str) -> None:
    parser = build_parser(known())
    for option in ("--json", "--quiet"):
        options = parser.parse_args([name, *WORDS[name], option])
        assert options.command is known()[name]
        assert options.json == (option == "--json")
        assert options.quiet == (option == "--quiet")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bogus"],
        ["status", "--json", "--quiet"],
        ["status", "extra"],
        ["mark"],
        ["mark", "fine"],
        ["config"],
        ["install"],
        ["run", "--progress-fd", "x"],
        ["run", "--progress-fd", "987"],
        ["run", "--progress-fd", "-1"],
        ["status", "--js"],
    ],
)
def test_wrong_use_is_exit_code_64(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build_parser(known()).parse_args(words)
    assert caught.value.code == 64
    said = capsys.readouterr()
    assert said.out == ""
    assert "hint: puadctl" in said.err
