# SPDX-License-Identifier: Apache-2.0
"""The properties as they were read last, so that whoever asks for them costs nothing.

Any local user may ask, as often as it likes, and reading them means listing the ESP or running
U-Boot's tools. They are read anew after whatever this service does, and else, for what others
change, at most once in `FRESH_S`. Rules:

1. A property that cannot be read is an error of its own; the others are answered.
2. Whatever goes wrong in reading one is such an error, and never ends the service.
3. What is found to be new is handed out once, to be told on the bus.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from gi.repository import GLib

from bootloader.control import BootControl
from bootloader.errors import BootloaderError, ErrorName
from bootloader.properties import LIVE, PROPERTIES, read_property

FRESH_S: Final = 1.0

_log = logging.getLogger(__name__)


class LastKnown:
    """The values.

    Args:
        control: Whose properties they are.
        clock: A clock that never goes back, in seconds.
    """

    def __init__(self, control: BootControl, clock: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._clock = clock
        self._read_at = -math.inf
        self._values: dict[str, GLib.Variant] = {}
        self._errors: dict[str, BootloaderError] = {}

    def refresh(self) -> dict[str, GLib.Variant]:
        """Read all of them; those that are new."""
        errors: dict[str, BootloaderError] = {}
        changed: dict[str, GLib.Variant] = {}
        with self._control.backend.one_look():
            for name in PROPERTIES:
                try:
                    value = self._read(name)
                except BootloaderError as error:
                    errors[name] = error
                    continue
                if name not in self._values or not value.equal(self._values[name]):
                    changed[name] = value
        for name in errors.keys() - self._errors.keys():
            _log.warning("the property %s cannot be read: %s", name, errors[name])
        self._errors = errors
        self._values |= changed
        self._read_at = self._clock()
        return changed

    def refresh_if_old(self) -> dict[str, GLib.Variant]:
        """Read all of them unless that was done a moment ago; those that are new."""
        return self.refresh() if self._clock() - self._read_at > FRESH_S else {}

    def get(self, name: str) -> GLib.Variant:
        """One of them.

        Raises:
            BootloaderError: Why it could not be read, or that there is no such property.
        """
        if name in LIVE:
            return self._read(name)
        if name in self._errors:
            raise self._errors[name]
        if name not in self._values:
            what = "there is no such property"
            raise BootloaderError(ErrorName.INVALID_ARGUMENT, what, on=name[:64])
        return self._values[name]

    def get_all(self) -> dict[str, GLib.Variant]:
        """All of them.

        Raises:
            BootloaderError: Why the first one that could not be read could not.
        """
        return {name: self.get(name) for name in (*PROPERTIES, *LIVE)}

    def _read(self, name: str) -> GLib.Variant:
        try:
            return read_property(self._control, name)
        except BootloaderError:
            raise
        except Exception as error:
            _log.exception("the property %s cannot be read", name)
            what = "a bug in boot control; its journal has the traceback"
            raise BootloaderError(ErrorName.INTERNAL, what) from error
