# SPDX-License-Identifier: Apache-2.0
"""What the node's desk tells the maintenance manager of a trouble that lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from puad.client.maintenance import MaintenanceClient
from puad.core.errors import BootControlError, Code, StorageError
from puad.core.run import Run
from puad.core.update_log import parse_detail
from puad.core.wire import Answer, StatusReport
from puad.effects.maintenance import MaintenanceDesk
from puad.effects.watch import Progress, Watch

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Listener:
    """A maintenance manager that takes every report."""

    def __init__(self) -> None:
        self.reports: list[StatusReport] = []

    def report(self, _guid: str, report: StatusReport, _now: datetime) -> Answer:
        self.reports.append(report)
        return Answer()


def told_times(watch: Watch, *troubles: StorageError | BootControlError | None) -> list[datetime]:
    """The failure times that are told while these troubles come one after the other."""
    listener = Listener()
    desk = MaintenanceDesk(cast("MaintenanceClient", listener), lambda: "guid", watch)
    for number, trouble in enumerate(troubles):
        watch.facts = trouble
        desk.report(Run(), NOW + timedelta(seconds=20 * number))
    entries = (parse_detail(r.status_detail)[0] for r in listener.reports if r.status_detail)
    return [entry.update_time for entry in entries if entry.update_time]


def test_trouble_that_lasts_is_one_failure_and_another_is_a_second() -> None:
    full = StorageError(Code.DISK_FULL, "no room")
    alone = BootControlError(Code.BOOT_CONTROL_ABSENT, "no answer")
    times = told_times(Watch(), full, full, None, full, alone)
    begun = [NOW, NOW, NOW + timedelta(seconds=60), NOW + timedelta(seconds=80)]
    assert times == begun


def test_report_says_what_the_install_does() -> None:
    watch, listener = Watch(), Listener()
    desk = MaintenanceDesk(cast("MaintenanceClient", listener), lambda: "guid", watch)
    watch.show(Progress("fetch", 1, 2))
    desk.report(Run(), NOW)
    assert listener.reports[0].quarantine == ()
    assert listener.reports[0].phase == ""  # nothing is installed in IDLE
