# SPDX-License-Identifier: Apache-2.0
"""Who defers the reboot: block inhibitors of logind, and the integrator's hooks of pre-reboot.d.

Rules:

1. Inhibitors are asked first; asking them changes nothing. When one holds the reboot up, no hook is
   run: what a hook prepares for a reboot would be prepared in vain.
2. Hooks run one after the other in the order of their names, all within one deadline. A hook of a
   later folder takes the place of one of the same name in an earlier folder.
3. Exit code 75 (EX_TEMPFAIL) defers the reboot, and no further hook is run. Every other exit code
   but 0, and a hook that is stopped, is logged and holds nothing up.
4. Where the reboot follows all the same, every hook is run.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from puad.config import Settings
from puad.core.actions import Consult
from puad.core.printable import printable_line
from puad.effects.inhibitors import block_inhibitors
from puad.executable import Ending, Output, executables, run_executable

_DEFERS: Final = os.EX_TEMPFAIL
_MOST_NAMED: Final = 4
_MOST_TEXT: Final = 160

_log = logging.getLogger(__name__)


class PreReboot:
    """Asks whoever may defer the reboot.

    Args:
        settings: Where the hooks lie, and their bounds.
        cancelled: Whether nobody waits for the answer any more.
    """

    def __init__(self, settings: Settings, cancelled: Callable[[], bool]) -> None:
        limits = settings.limits
        self._folders = settings.paths.pre_reboot
        self._deadline_s = settings.update.pre_reboot_deadline_s
        self._most_hooks = limits.probes
        self._output = Output(limits.probe_output_bytes, limits.probe_tail_bytes)
        self._bus_timeout_s = limits.dbus_timeout_s
        self._cancelled = cancelled

    def ask(self, consult: Consult) -> str:
        """Who defers the reboot, and why; empty when nobody does."""
        holders = [_short(text) for text in block_inhibitors(self._bus_timeout_s)]
        if holders and consult.binding:
            return _named(holders)
        end = time.monotonic() + self._deadline_s
        for path in self._hooks():
            if self._cancelled():
                break
            ending = self._run(path, consult, end)
            if ending.exit_code == _DEFERS:
                holders.append(_short(f"hook {path.name}{_last_line(ending)}"))
                if consult.binding:
                    break
            elif ending.why:
                _log.warning("pre-reboot hook %s: %s%s", path, ending.why, _last_line(ending))
        return _named(holders)

    def _run(self, path: Path, consult: Consult, end: float) -> Ending:
        goal = consult.goal
        about = {
            "PUAD_RUN_ID": goal.run_id,
            "PUAD_SLOT": goal.slot,
            "PUAD_IMAGE_ID": "" if goal.undo else goal.offer.image_id,
            "PUAD_MAY_DEFER": "yes" if consult.binding else "no",
        }

        def left_s() -> float:
            return 0.0 if self._cancelled() else max(0.0, end - time.monotonic())

        if not left_s():
            return Ending(None, "it was not run: the deadline of all hooks had passed")
        return run_executable(path, about, left_s, self._output)

    def _hooks(self) -> Iterator[Path]:
        found: dict[str, Path] = {}
        for folder in self._folders:
            try:
                found |= {path.name: path for path in executables(folder)}
            except OSError as error:
                _log.warning("pre-reboot hooks: %s cannot be read: %s", folder, error.strerror)
        names = sorted(found)
        if len(names) > self._most_hooks:
            _log.warning("%d pre-reboot hooks, more than %d", len(names), self._most_hooks)
        yield from (found[name] for name in names[: self._most_hooks])


def _last_line(ending: Ending) -> str:
    lines = ending.tail.splitlines()
    return f": {lines[-1]}" if lines else ""


def _short(text: str) -> str:
    return printable_line(text, _MOST_TEXT)


def _named(holders: list[str]) -> str:
    more = len(holders) - _MOST_NAMED
    return "; ".join(holders[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
