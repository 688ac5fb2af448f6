# SPDX-License-Identifier: Apache-2.0
"""The screen: where a command's text goes, how wide it may be, and whether it has colours."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import Final, TextIO

from puad.render.paint import Paint

_WIDTH_OF_NO_TERMINAL: Final = 80


@dataclass(frozen=True, slots=True)
class Screen:
    """Standard output and error of this process.

    Attributes:
        out: For what was asked for.
        err: For diagnostics and the progress bar.
        width: Columns of the terminal.
        paint: Colours for standard output.
        err_paint: Colours for standard error.
        has_bar: Whether a progress bar may be drawn on standard error.
        as_json: Whether standard output takes one JSON document and nothing else.
        quiet: Whether standard output takes nothing.
    """

    out: TextIO
    err: TextIO
    width: int
    paint: Paint
    err_paint: Paint
    has_bar: bool
    as_json: bool
    quiet: bool

    @classmethod
    def of_process(cls, *, as_json: bool, quiet: bool) -> Screen:
        """The screen of this process, judged by its terminals and NO_COLOR."""
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        out_tty, err_tty = sys.stdout.isatty(), sys.stderr.isatty()
        return cls(
            out=sys.stdout,
            err=sys.stderr,
            width=shutil.get_terminal_size().columns if out_tty else _WIDTH_OF_NO_TERMINAL,
            paint=Paint(out_tty and not plain),
            err_paint=Paint(err_tty and not plain),
            has_bar=err_tty and not quiet and os.environ.get("TERM") != "dumb",
            as_json=as_json,
            quiet=quiet,
        )

    @property
    def takes_text(self) -> bool:
        """Whether human text is wanted on standard output."""
        return not self.as_json and not self.quiet

    def say(self, text: str) -> None:
        """Print human text at once."""
        if self.takes_text:
            print(text, file=self.out, flush=True)

    def warn(self, text: str) -> None:
        """Print a diagnostic."""
        print(text, file=self.err, flush=True)
