# SPDX-License-Identifier: Apache-2.0
"""The machine that boot control runs on: its power, and how far this boot has come."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Machine(ABC):
    """A node with systemd, or the simulated machine of the demo and the tests."""

    @abstractmethod
    def request_reboot(self, reason: str) -> None:
        """Ask for a reboot with notice; returns before it happens.

        Raises:
            BootloaderError: `RebootFailed`.
        """

    @abstractmethod
    def is_boot_complete(self) -> bool:
        """Whether this boot has reached boot-complete."""
