# SPDX-License-Identifier: Apache-2.0
"""What a fuzz target is: a parser, what it may raise, and the rules that hold for what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz.mutation import mutate_bytes

CORPUS: Final = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Target:
    """A fuzz target.

    Attributes:
        name: What it is called.
        check: Gives one input to the parser, and holds what it took against its rules. It returns
            what became of the input: the parser's refusal, or how much it took. Whatever it
            raises is a fault.
        mutate: Makes another input that gets further than changed bytes would.
        kept: The folder of its corpus, when that has another name.
    """

    name: str
    check: Callable[[bytes], str]
    mutate: Callable[[bytes, Random], bytes] = mutate_bytes
    kept: str = ""

    @property
    def corpus(self) -> Path:
        """Where its inputs are kept."""
        return CORPUS / (self.kept or self.name)

    def inputs(self) -> Iterator[bytes]:
        """The inputs that are kept."""
        return (path.read_bytes() for path in sorted(self.corpus.iterdir()))
