# SPDX-License-Identifier: Apache-2.0
"""Commands of `puadctl`, and the registry that finds them.

A command is one module of `puad.cli.commands` with one subclass of `Command`; the class statement
registers it, and nothing else needs to know of it.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import ClassVar

from puad.cli.outcome import Outcome
from puad.cli.screen import Screen

_REGISTRY: dict[str, type[Command]] = {}


class Command(ABC):
    """One command.

    Attributes:
        name: The word on the command line.
        summary: What it does, in one line.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    def __init_subclass__(cls, *, name: str, summary: str) -> None:
        if name in _REGISTRY:
            raise TypeError(f"two commands are called {name}")
        cls.name, cls.summary = name, summary
        _REGISTRY[name] = cls

    @classmethod  # noqa: B027 -- many commands take none
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""

    @abstractmethod
    def perform(self, options: argparse.Namespace, screen: Screen) -> Outcome:
        """Do what the options say.

        Raises:
            PuadError: It could not be done.
        """


def known(word: str = "") -> dict[str, type[Command]]:
    """Every command by its name.

    Args:
        word: The name of one, when that is all that is needed: a slow node, which calls `puadctl`
            in each boot, then loads no other.
    """
    from puad.cli import commands  # noqa: PLC0415 -- they import this module

    modules = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    for name in {word} & modules or modules:
        importlib.import_module(f"{commands.__name__}.{name}")
    return dict(sorted(_REGISTRY.items()))
