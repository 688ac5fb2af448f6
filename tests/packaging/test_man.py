# SPDX-License-Identifier: Apache-2.0
"""The manual pages: well-formed, readable at 80 columns, and true to the programs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path
from typing import get_type_hints

import pytest

from bootloader import backends, boot_failed, slots_read_only
from bootloader import config as bootloader_config
from bootloader import main as bootloader_main
from bootloader.errors import ErrorName
from orchestrator_stub import errors as orchestrator_errors
from orchestrator_stub import settings as orchestrator_settings
from orchestrator_stub.release import errors as release_errors
from puad import daemon
from puad.cli.exit_codes import EXIT_CODES, ExitCode
from puad.config.kinds import Kind
from puad.config.settings import Settings
from puad.health import process as health_process
from tests.packaging.command_line import PARSERS, CommandLine, actions, command_line
from tests.packaging.manual_page import FOLDER, Entry, Page, plain_text

PAGES = sorted(path.name for path in FOLDER.iterdir())
WITH_VERBS = [name for name, parser in PARSERS.items() if command_line(parser()).verbs]


def commands_of(name: str) -> tuple[CommandLine, Page]:
    page = next(page for page in PAGES if page.rpartition(".")[0] == name)
    return command_line(PARSERS[name]()), Page(page)


def words(entries: list[Entry]) -> frozenset[str]:
    return frozenset().union(*(entry.options for entry in entries)) - {"-h", "--help"}


def toml_text(value: object) -> str:
    if isinstance(value, tuple):
        return json.dumps(list(value), default=str)
    return json.dumps(str(value) if isinstance(value, Path) else value)


def default_of(field: dataclasses.Field[object]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


@pytest.mark.parametrize("name", PAGES)
def test_page_lint_finds_nothing(name: str) -> None:
    lint = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "all", FOLDER / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_each_page_is_put_into_one_debian_package() -> None:
    rules = (FOLDER.parent / "deb/debian/rules").read_text()
    lists = re.findall(r"dh_installman -p\S+ \$\(addprefix packaging/man/,([^)]*)\)", rules)
    assert sorted(" ".join(lists).replace("\\", " ").split()) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_at_80_columns_fits(name: str) -> None:
    page = subprocess.run(
        ["mandoc", "-T", "ascii", "-O", "width=78", FOLDER / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    lines = [re.sub(r".\x08", "", line) for line in page.splitlines()]
    assert [line for line in lines if len(line) > 80] == []
    assert len(lines) > 60


@pytest.mark.parametrize("name", PAGES)
def test_page_has_title_and_the_sections_that_readers_look_for(name: str) -> None:
    page = Page(name)
    stem, _, section = name.rpartition(".")
    title = next(line for line in page.path.read_text().splitlines() if line.startswith(".TH"))
    assert title.replace("\\-", "-").split()[1:3] == [stem.upper(), section]
    wanted = {"NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"}
    wanted |= {"EXIT STATUS"} if section != "5" else set()
    assert wanted <= page.text.keys()
    assert page.path.read_text().count(".nf") > 0, "a page without an example"


@pytest.mark.parametrize("name", PAGES)
def test_page_refers_only_to_pages_of_ours_that_exist(name: str) -> None:
    text = (FOLDER / name).read_text().replace("\\-", "-")
    referred = set(re.findall(r"^\.BR (puad[a-z.-]*) \((\d)\)", text, re.MULTILINE))
    assert {f"{page}.{section}" for page, section in referred} <= set(PAGES)
    assert referred


@pytest.mark.parametrize("name", WITH_VERBS)
def test_page_of_a_command_names_every_verb_and_no_other(name: str) -> None:
    program, page = commands_of(name)
    headings = {verb_of(heading, program): heading for heading in page.subsections["COMMANDS"]}
    assert sorted(headings) == sorted(program.verbs)
    for verb, heading in headings.items():
        told = f"{heading} {page.text[heading]}"
        for allowed in program.verbs[verb].operands:
            assert all(re.search(rf"\b{word}\b", told) for word in allowed), heading


@pytest.mark.parametrize("name", WITH_VERBS)
def test_page_of_a_command_names_every_option_and_no_other(name: str) -> None:
    program, page = commands_of(name)
    assert words(page.in_section("OPTIONS")) == program.own.options
    everywhere = words(page.in_section("OPTIONS OF EVERY COMMAND"))
    assert program.common <= everywhere
    for verb, facts in program.verbs.items():
        assert words(verb_entries(page, program, verb)) == facts.options - everywhere, verb


@pytest.mark.parametrize("name", WITH_VERBS)
def test_page_of_a_command_names_the_choices_and_defaults_of_an_option(name: str) -> None:
    program, page = commands_of(name)
    parsers = PARSERS[name]()
    for verb, facts in program.verbs.items():
        own = verb_entries(page, program, verb)
        entries = {word: entry for entry in own for word in entry.options}
        for option, allowed in facts.choices.items():
            assert all(word in entries[option].text for word in allowed), (verb, option)
        for option, default in defaults(parsers, verb).items():
            if option in entries:
                assert default in entries[option].text, (verb, option)


@pytest.mark.parametrize("name", WITH_VERBS)
def test_page_of_a_command_says_which_options_are_required(name: str) -> None:
    program, page = commands_of(name)
    for verb in program.verbs:
        for action in actions(PARSERS[name](), verb):
            for entry in verb_entries(page, program, verb):
                if entry.options & set(action.option_strings):
                    assert ("Required." in entry.text) == action.required, entry


def verb_of(heading: str, program: CommandLine) -> str:
    """The verb that a heading begins with, of one word or two."""
    first, *rest = heading.split()
    both = " ".join([first, *rest[:1]])
    return both if both in program.verbs else first


def verb_entries(page: Page, program: CommandLine, verb: str) -> list[Entry]:
    entries = page.in_section("COMMANDS")
    return [entry for entry in entries if verb_of(entry.subsection, program) == verb]


def defaults(parser: argparse.ArgumentParser, verb: str = "") -> dict[str, str]:
    """The defaults that are the same on every machine and worth a word."""
    return {
        option: str(action.default)
        for action in actions(parser, verb)
        for option in action.option_strings
        if isinstance(action.default, str | int | Path)
        and not isinstance(action.default, bool)
        and action.default not in ("", 0, argparse.SUPPRESS)
        and option != "--threads"
    }


def test_puadctl_page_exit_status_lists_every_code_under_its_number() -> None:
    page = Page("puadctl.1")
    listed = {entry.tag: entry.text for entry in page.in_section("EXIT STATUS")}
    assert set(listed) == {str(code.value) for code in ExitCode}
    for code, status in EXIT_CODES.items():
        found = [
            tag for tag, text in listed.items() if re.search(rf"(?<![\w-]){code}\b(?!-)", text)
        ]
        assert found == [str(status.value)], code


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        (
            "puad-release.1",
            {0, 64, 130}
            | {error.exit_code for error in release_errors.ReleaseError.__subclasses__()}
            | {release_errors.ReleaseError.exit_code},
        ),
        ("puad-orchestrator.8", {0, 74, 130} | set(orchestrator_errors.EXIT_STATUS.values())),
    ],
)
def test_page_of_a_server_command_lists_its_exit_statuses(name: str, codes: set[int]) -> None:
    listed = {int(entry.tag) for entry in Page(name).in_section("EXIT STATUS")}
    assert listed == codes


@pytest.mark.parametrize(
    ("name", "parsers"),
    [
        ("puad.8", (daemon._parser, health_process._parser)),
        (
            "puad-bootloader.8",
            (bootloader_main._parser, boot_failed._parser, slots_read_only._parser),
        ),
        ("puad-provision.8", (PARSERS["puad-provision"],)),
    ],
)
def test_page_of_a_program_without_verbs_names_its_options(
    name: str, parsers: tuple[Callable[[], argparse.ArgumentParser], ...]
) -> None:
    page = Page(name)
    entries = {word: entry for entry in page.in_section("OPTIONS") for word in entry.options}
    wanted: set[str] = set()
    for parser in parsers:
        program = command_line(parser())
        wanted |= program.own.options
        for option, allowed in program.own.choices.items():
            assert all(word in entries[option].text for word in allowed), option
        for option, default in defaults(parser()).items():
            assert default in entries[option].text or option == "--boot-loader", option
        named = page.in_section("THE SIMULATED MACHINE")
        for verb, facts in program.verbs.items():
            assert words([e for e in named if e.subsection == verb]) == facts.options, verb
    assert entries.keys() - {"-h", "--help"} == wanted


def test_puad_toml_page_lists_every_key_with_its_default_and_range() -> None:
    listed = Page("puad.toml.5").keys("KEYS")
    sections = get_type_hints(Settings)
    assert set(listed) == set(sections)
    for section, form in sections.items():
        kinds = get_type_hints(form, include_extras=True)
        assert set(listed[section]) == {field.name for field in dataclasses.fields(form)}
        for field in dataclasses.fields(form):
            entry = listed[section][field.name]
            assert entry.tag == f"{field.name} = {toml_text(default_of(field))}"
            assert range_of(kinds[field.name].__metadata__[0]) <= set(entry.text.split()), entry


def range_of(kind: Kind) -> set[str]:
    """What a page must say of the values that a number or a choice accepts."""
    bounds = re.fullmatch(r"a whole number from (\d+) to (\d+)", kind.allowed)
    if bounds:
        return {bounds[1], f"{bounds[2]}."}
    return {f"{word}" for word in re.findall(r'"\S+"', kind.allowed[:-1])}


def test_puad_bootloader_page_lists_every_key_with_its_default() -> None:
    listed = Page("puad-bootloader.8").keys("CONFIGURATION")
    assert list(listed) == ["Keys outside of any section", "devices", "files"]
    forms = {
        "Keys outside of any section": bootloader_config.General,
        "devices": bootloader_config.DeviceSettings,
        "files": bootloader_config.FileSettings,
    }
    for section, form in forms.items():
        assert_keys(form, listed[section])


def test_puad_bootloader_page_lists_every_back_end_with_its_keys() -> None:
    page = Page("puad-bootloader.8")
    known = backends.known()
    assert {name.strip("[]") for name in page.subsections["BACK ENDS"]} == set(known)
    listed = page.keys("BACK ENDS")
    for name, back_end in known.items():
        assert_keys(back_end.options, listed.get(name, {}))


def test_puad_bootloader_page_shows_the_packaged_configuration(tmp_path: Path) -> None:
    page = Page("puad-bootloader.8").path.read_text()
    (shown,) = re.findall(r"^\.nf\n(backend = .*?)^\.fi", page, re.MULTILINE | re.DOTALL)
    example = tmp_path / "bootloader.toml"
    example.write_text("".join(f"{plain_text(line)}\n" for line in shown.splitlines()))
    packaged = FOLDER.parent / "config/bootloader.toml"
    given, wanted = bootloader_config.load(example), bootloader_config.load(packaged)
    assert given.general == wanted.general
    assert given.backend.table == wanted.backend.table


def test_puad_orchestrator_page_lists_every_key_with_its_default() -> None:
    listed = Page("puad-orchestrator.8").keys("CONFIGURATION")
    outside = listed.pop("Keys outside of any section")
    assert set(outside) | set(listed) == {
        field.name for field in dataclasses.fields(orchestrator_settings.Settings)
    }
    forms = get_type_hints(orchestrator_settings.Settings)
    for section, keys in listed.items():
        assert_keys(forms[section], keys)


def assert_keys(form: type, listed: dict[str, Entry]) -> None:
    fields = {field.name: field for field in dataclasses.fields(form)}
    assert set(listed) == set(fields)
    for name, field in fields.items():
        default = default_of(field)
        assert listed[name].tag == (
            name if default is MISSING else f"{name} = {toml_text(default)}"
        )
        if "low" in field.metadata:
            low, high = field.metadata["low"], field.metadata["high"]
            assert f"From {low} to {high}." in listed[name].text


def test_puad_bootloader_page_lists_every_refusal() -> None:
    listed = [entry.tag for entry in Page("puad-bootloader.8").in_section("REFUSALS")]
    assert listed == [name.value for name in ErrorName]
