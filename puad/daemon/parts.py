# SPDX-License-Identifier: Apache-2.0
"""The daemon's parts, put together from the configuration in one place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from puad.bootcontrol import BootControl
from puad.client.maintenance import MaintenanceClient
from puad.config import Settings
from puad.core.errors import BootControlError, Code, PuadError, StorageError
from puad.core.model import Offer
from puad.core.run import Rules
from puad.daemon.workers import Post, Worker
from puad.effects.clock import Clock, build_time, synchronised
from puad.effects.facts import FactReader
from puad.effects.install import Installer
from puad.effects.maintenance import MaintenanceDesk
from puad.effects.perform import Effects
from puad.effects.pre_reboot import PreReboot
from puad.effects.supply import Supplier
from puad.effects.watch import Watch
from puad.store import Store

_NODE: Final = "node"
_LOG: Final = logging.getLogger(__name__)


class Parts:
    """Everything that reaches out of the process.

    Args:
        settings: The configuration.
        watch: Shared with the daemon.
        post: Has something done in the main loop.
    """

    def __init__(self, settings: Settings, watch: Watch, post: Post) -> None:
        limits, paths = settings.limits, settings.paths
        self._settings = settings
        self._post = post
        self._worker = Worker("inspect")
        self.store = Store(paths.persist, limits)
        self._guid = settings.node.guid or self._stored_guid()
        self.clock = Clock(
            self.store,
            build_time(paths.os_release),
            lambda: not settings.update.synchronised_clock or synchronised(),
        )
        self.boot_control = BootControl(
            timeout_s=limits.dbus_timeout_s, long_timeout_s=limits.seal_timeout_s
        )
        verdicts = Store(paths.verdict, limits)
        facts = FactReader(self.boot_control, verdicts, paths)
        self.installer = Installer(self.boot_control, paths.persist, limits, watch)
        self.supplier = Supplier(settings, self.store, self.clock, watch)
        self.desk = MaintenanceDesk(
            MaintenanceClient(settings.server, limits, self.clock.floor_above_the_clock),
            self.guid,
            watch,
        )
        self.effects = Effects(
            self.boot_control,
            self.clock,
            facts,
            installer=self.installer,
            supplier=self.supplier,
            desk=self.desk,
            pre_reboot=PreReboot(settings, watch.cancelled),
        )

    def guid(self) -> str:
        """This node's GUID; the stored one while boot control cannot be asked."""
        return self._guid

    def _stored_guid(self) -> str:
        try:
            document = self.store.read(_NODE) or {}
        except StorageError as error:
            _LOG.warning("%s; the node's GUID is known when boot control answers", error)
            document = {}
        guid = document.get("guid")
        return guid if isinstance(guid, str) else ""

    def learn_guid(self) -> None:
        """Take the node's GUID from boot control, and keep it for when that does not answer."""
        try:
            guid = self._settings.node.guid or self.boot_control.host_uuid()
            if guid != self.guid():
                self._guid = guid
                self.store.write(_NODE, {"schema": 1, "guid": guid})
        except (BootControlError, StorageError) as error:
            _LOG.warning("the node's GUID is not kept: %s", error)

    def inspect(self, folder: int, then: Callable[[Offer | PuadError], None]) -> None:
        """Verify an exported repository beside the main loop, and go on there with its offer."""

        def job() -> None:
            try:
                result: Offer | PuadError = self.supplier.inspect(folder)
            except PuadError as error:
                result = error
            except Exception as error:  # noqa: BLE001 - a caller waits
                _LOG.exception("a bug: the exported repository cannot be looked at")
                result = PuadError(Code.INTERNAL, f"{type(error).__name__}: {error}")
            self._post(lambda: then(result))

        self._worker.do(job)


def rules_of(settings: Settings) -> Rules:
    """The core's rules from the configuration."""
    update = settings.update
    least = timedelta(seconds=update.min_window_left_s)
    return Rules(
        tries=update.tries,
        download_window=timedelta(seconds=update.download_window_s),
        immediate=timedelta(seconds=update.immediate_download_window_s),
        min_window_left=least or None,
        health_deadline=timedelta(seconds=update.health_deadline_s),
        reboot_limit=timedelta(seconds=update.reboot_limit_s),
        retry_first=timedelta(seconds=update.retry_first_s),
        retry_most=timedelta(seconds=update.retry_most_s),
        attempts=settings.limits.download_attempts,
    )
