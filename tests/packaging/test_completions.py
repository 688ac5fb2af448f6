# SPDX-License-Identifier: Apache-2.0
"""The completions for bash: sourced and asked in bash itself, and held to the parsers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.packaging.command_line import PARSERS, CommandLine, Verb, actions, command_line

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging" / "completions"
PROGRAMS = sorted(PARSERS)
HELP = {"-h", "--help"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where bash stands: one folder and one file, to see what is offered as a path."""
    (tmp_path / "a-folder").mkdir()
    (tmp_path / "a-file").touch()
    return tmp_path


def complete(folder: Path, *words: str) -> list[str]:
    """What pressing the tab key after the words offers; a last word "" is a new one."""
    asked = subprocess.run(
        ["bash", "--norc", Path(__file__).with_name("complete.bash"), FOLDER / words[0], *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert asked.stderr == ""
    return asked.stdout.splitlines()


def facts(program: str) -> CommandLine:
    return command_line(PARSERS[program]())


def each_verb() -> list[tuple[tuple[str, ...], Verb]]:
    """The beginning of a line and what fits there: each verb, or the program that has none."""
    found: list[tuple[tuple[str, ...], Verb]] = []
    for program in PROGRAMS:
        line = facts(program)
        found += [((program, *verb.split()), what) for verb, what in line.verbs.items()]
        found += [] if line.verbs else [((program,), line.own)]
    return found


def test_completions_are_there_for_every_program_with_a_parser() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == PROGRAMS


@pytest.mark.parametrize("program", [name for name in PROGRAMS if facts(name).verbs])
def test_complete_first_word_offers_every_verb(folder: Path, program: str) -> None:
    verbs = {verb.split()[0] for verb in facts(program).verbs}
    assert sorted(complete(folder, program, "")) == sorted(verbs)
    for verb in verbs:
        assert verb in complete(folder, program, verb[:2])


@pytest.mark.parametrize("noun", ["operator", "project", "token"])
def test_complete_second_word_offers_every_verb_of_a_noun(folder: Path, noun: str) -> None:
    program = "puad-orchestrator"
    verbs = [verb.split()[1] for verb in facts(program).verbs if verb.startswith(f"{noun} ")]
    assert sorted(complete(folder, program, noun, "")) == sorted(verbs)
    for verb in verbs:
        assert verb in complete(folder, program, noun, verb[:2])
    assert set(complete(folder, program, noun, "-")) == HELP


@pytest.mark.parametrize("program", PROGRAMS)
def test_complete_dash_before_the_verb_offers_the_programs_own_options(
    folder: Path, program: str
) -> None:
    assert set(complete(folder, program, "-")) == facts(program).own.options | HELP


@pytest.mark.parametrize(("line", "what"), each_verb())
def test_complete_dash_after_a_verb_offers_exactly_its_options(
    folder: Path, line: tuple[str, ...], what: Verb
) -> None:
    offered = complete(folder, *line, "-")
    assert set(offered) == what.options | HELP
    assert len(offered) == len(set(offered))
    assert set(complete(folder, *line, "--js")) == {"--json"}


@pytest.mark.parametrize(("line", "what"), each_verb())
def test_complete_value_of_an_option_offers_its_choices(
    folder: Path, line: tuple[str, ...], what: Verb
) -> None:
    for option, choices in what.choices.items():
        assert set(complete(folder, *line, option, "")) == set(choices)
        assert set(complete(folder, *line, option, "=")) == set(choices)
        first = choices[0]
        assert first in complete(folder, *line, option, "=", first[:-1])


@pytest.mark.parametrize(("line", "what"), each_verb())
def test_complete_free_value_of_an_option_offers_no_words_of_the_program(
    folder: Path, line: tuple[str, ...], what: Verb
) -> None:
    verbs = {word for verb in facts(line[0]).verbs for word in verb.split()}
    known = what.options | HELP | verbs
    for option in what.valued - what.choices.keys():
        assert not known & set(complete(folder, *line, option, ""))


@pytest.mark.parametrize(("line", "what"), each_verb())
def test_complete_path_offers_folders(folder: Path, line: tuple[str, ...], what: Verb) -> None:
    for action in actions(PARSERS[line[0]](), " ".join(line[1:])):
        if action.type is Path:
            before = action.option_strings[:1]
            assert "a-folder" in complete(folder, *line, *before, "a-"), action


@pytest.mark.parametrize(("line", "what"), each_verb())
def test_complete_operand_offers_its_choices_once(
    folder: Path, line: tuple[str, ...], what: Verb
) -> None:
    for choices in filter(None, what.operands[:1]):
        assert set(complete(folder, *line, "")) == set(choices)
        assert set(complete(folder, *line, "--json", "")) == set(choices)
        assert complete(folder, *line, choices[0], "") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("puadctl", "--config-dir", "a-folder", "hist"), ["history"]),
        (("puadctl", "--config-dir", "a-"), ["a-folder"]),
        (("puadctl", "run", "--progress-fd", "3", "--no"), ["--no-wait"]),
        (("puadctl", "install", "a-folder", ""), []),
        (("puadctl", "unheard-of", "-"), []),
        (("puad-release", "add", "--level", "3", "--prof"), ["--profile"]),
        (("puad-release", "add", "--level", "=", "3", "--prof"), ["--profile"]),
        (("puad-release", "add", "--uki", "a-fi"), ["a-file"]),
        (("puad-release", "add", "--json", "a-fi"), ["a-file"]),
        (("puad-release", "export", "a-"), ["a-folder"]),
        (("puad-release", "init", "--threshold", "ro"), ["root="]),
        (("puad-release", "--refresh", "unheard-of", ""), []),
        (("puad-orchestrator", "enrol", "edge-1", "--ren"), ["--renew"]),
        (("puad-orchestrator", "operator", "--json", "add", "ada", "--pa"), ["--password-stdin"]),
        (("puad-orchestrator", "token", "add", "--project", "add", "--to"), ["--token-file"]),
        (("puad-orchestrator", "project", "unheard-of", "-"), []),
        (("puad-orchestrator", "backup", "a-fi"), ["a-file"]),
        (("puad-orchestrator", "serve", "--release-dir", "a-"), ["a-folder"]),
    ],
)
def test_complete_in_the_middle_of_a_line_offers_what_fits(
    folder: Path, words: tuple[str, ...], offered: list[str]
) -> None:
    assert complete(folder, *words) == offered


def test_completions_shellcheck_finds_nothing() -> None:
    files = [*FOLDER.iterdir(), Path(__file__).with_name("complete.bash")]
    checked = subprocess.run(
        ["shellcheck", "--shell=bash", "--exclude=SC1090", *files],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")
