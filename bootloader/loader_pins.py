# SPDX-License-Identifier: Apache-2.0
"""What systemd-boot is pinned to past its counting: by two EFI variables and by loader.conf."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Final

from bootloader.loader_variables import DEFAULT, ONE_SHOT, LoaderVariables
from bootloader.pinned_default import configured_default, fits_any, is_harmless

IN_LOADER_CONF: Final = "default in loader.conf"

_log = logging.getLogger(__name__)


class LoaderPins:
    """The patterns that do not leave the order of the slots alone.

    Args:
        variables: The EFI variables.
        slots: Our slots.
    """

    def __init__(self, variables: LoaderVariables, slots: tuple[str, ...]) -> None:
        self._variables = variables
        self._slots = slots

    def find(self, conf: bytes, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Where each pattern stands, and the pattern; the one that is asked first in front.

        Args:
            conf: The text of loader.conf.
            names: The names of the entries that are there.
        """
        yield from self._in_variables()
        pattern = configured_default(conf)
        if not pattern or is_harmless(pattern, self._slots):
            return
        if fits_any(pattern, self._slots, names):
            yield IN_LOADER_CONF, pattern

    def clear(self) -> None:
        """Clear those in the variables.

        Raises:
            BootloaderError: `StorageFailed`.
        """
        for variable, pattern in list(self._in_variables()):
            _log.warning("%s was pinned to %s and is cleared", variable, pattern)
            self._variables.clear(variable)

    def _in_variables(self) -> Iterator[tuple[str, str]]:
        for variable in (ONE_SHOT, DEFAULT):
            pattern = self._variables.read(variable)
            if pattern and not is_harmless(pattern, self._slots):
                yield variable, pattern
