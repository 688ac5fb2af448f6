# SPDX-License-Identifier: Apache-2.0
"""Narrators: they tell somebody how an update run goes while it goes.

People get a line for each state and a progress bar; programs get JSON lines on a descriptor
(docs/puadctl-json.md, `--progress-fd`).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from puad.cli.outcome import error_document
from puad.cli.screen import Screen
from puad.core.errors import PuadError
from puad.render import ProgressView
from puad.render.progress_bar import progress_bar

_TEXTS: Final = {
    "DOWNLOADING": "Fetching the image and writing it to its slot.",
    "STAGED": "The image is written and sealed.",
    "ARMED": "Setting the boot target and rebooting.",
}
_CLEAR: Final = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Began:
    """The run has begun."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The run changed its state."""

    run_id: str
    before: str
    state: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """The run's present phase went on."""

    run_id: str
    progress: ProgressView


@dataclass(frozen=True, slots=True)
class Noted:
    """Something happened beside the run."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run came to where nobody waits for it any longer."""

    run_id: str
    state: str
    problem: PuadError | None


News = Began | Changed | Progressed | Noted | Ended


class Narrator(Protocol):
    """Is told what happens to a run."""

    def tell(self, news: News) -> None:
        """Pass it on."""


class ScreenNarrator:
    """Tells people."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._has_bar = False

    def tell(self, news: News) -> None:
        """Say it, or draw the bar."""
        if isinstance(news, Progressed):
            self._draw(news.progress)
            return
        self._clear()
        match news:
            case Began(run_id):
                self._screen.say(f"Update run {run_id}")
            case Changed(state=state) if state in _TEXTS:
                self._screen.say(_TEXTS[state])
            case Noted(text):
                self._screen.warn(f"puadctl: {text}")

    def _draw(self, progress: ProgressView) -> None:
        if not self._screen.has_bar:
            return
        bar = progress_bar(progress, self._screen.width - 1)
        self._screen.err.write(_CLEAR + bar)
        self._screen.err.flush()
        self._has_bar = bool(bar)

    def _clear(self) -> None:
        if self._has_bar:
            self._screen.err.write(_CLEAR)
            self._screen.err.flush()
            self._has_bar = False


class JsonLinesNarrator:
    """Tells a program, until it stops listening."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def tell(self, news: News) -> None:
        """Write a line."""
        match news:
            case Began(run_id):
                self._write("started", run_id=run_id)
            case Changed(run_id, before, state):
                self._write("state", run_id=run_id, before=before, state=state)
            case Progressed(run_id, progress):
                self._write("progress", run_id=run_id, **asdict(progress))
            case Ended(run_id, state, problem):
                error = error_document(problem) if problem else None
                self._write("ended", run_id=run_id, state=state, error=error)

    def _write(self, kind: str, **values: Any) -> None:  # noqa: ANN401 -- JSON values
        if self._descriptor is None:
            return
        content = (json.dumps({"type": kind, **values}) + "\n").encode()
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError:  # the reader is gone; the run does not depend on it
            self._descriptor = None
