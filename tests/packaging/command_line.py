# SPDX-License-Identifier: Apache-2.0
"""What a parser takes, as plain data: its verbs, and the options and choices of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bootloader import boot_failed, slots_read_only
from bootloader import main as bootloader_main
from bootloader.provision.main import _parser as puad_provision
from orchestrator_stub.main import _parser as puad_orchestrator
from orchestrator_stub.release.arguments import make_parser
from puad import daemon
from puad.cli.command import known
from puad.cli.parser import build_parser
from puad.health import process as health_process

_HELP: Final = frozenset({"-h", "--help"})


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb, or the program itself.

    Attributes:
        options: Every option word, without help.
        valued: The option words that take a value.
        choices: The words that an option accepts, by its option words.
        operands: The choices of each operand, in their order; none for free text.
    """

    options: frozenset[str]
    valued: frozenset[str]
    choices: dict[str, tuple[str, ...]]
    operands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A program's own options, and its verbs."""

    own: Verb
    verbs: dict[str, Verb] = field(default_factory=dict)

    @property
    def common(self) -> frozenset[str]:
        """The options that every verb has."""
        return frozenset.intersection(*(verb.options for verb in self.verbs.values()))


def command_line(parser: argparse.ArgumentParser) -> CommandLine:
    """What a parser takes, two-word verbs as `firmware init`."""
    verbs: dict[str, Verb] = {}
    for name, sub in _subparsers(parser).items():
        nested = _subparsers(sub)
        if nested:
            verbs |= {f"{name} {word}": _verb(each) for word, each in nested.items()}
        else:
            verbs[name] = _verb(sub)
    return CommandLine(_verb(parser), verbs)


def puadctl() -> argparse.ArgumentParser:
    return build_parser(known())


PARSERS: Final[dict[str, Callable[[], argparse.ArgumentParser]]] = {
    "puadctl": puadctl,
    "puad-release": make_parser,
    "puad-orchestrator": puad_orchestrator,
    "puad-provision": puad_provision,
}


ALL: Final[dict[str, Callable[[], argparse.ArgumentParser]]] = {
    **PARSERS,
    "puad": daemon._parser,
    "puad-health": health_process._parser,
    "puad-bootloader": bootloader_main._parser,
    "puad-boot-failed": boot_failed._parser,
    "puad-slots-read-only": slots_read_only._parser,
}


def each_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser of a program and of each of its commands."""
    yield parser
    for sub in _subparsers(parser).values():
        yield from each_parser(sub)


def actions(parser: argparse.ArgumentParser, verb: str = "") -> list[argparse.Action]:
    """The arguments of a verb, or of the program itself."""
    for word in verb.split():
        parser = _subparsers(parser)[word]
    return list(parser._actions)


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _verb(parser: argparse.ArgumentParser) -> Verb:
    options: set[str] = set()
    valued: set[str] = set()
    choices: dict[str, tuple[str, ...]] = {}
    operands: list[tuple[str, ...]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        words = frozenset(action.option_strings) - _HELP
        allowed = tuple(str(word) for word in action.choices or ())
        if not action.option_strings:
            operands.append(allowed)
        options |= words
        if action.nargs != 0:
            valued |= words
        if allowed:
            choices |= dict.fromkeys(words, allowed)
    return Verb(frozenset(options), frozenset(valued), choices, tuple(operands))
