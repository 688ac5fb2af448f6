# SPDX-License-Identifier: Apache-2.0
"""The node's talk with the maintenance manager: what was said last, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from puad.client.maintenance import MaintenanceClient
from puad.core.errors import Code, PuadError, WireError
from puad.core.model import Plan
from puad.core.report import status_report
from puad.core.run import Cause, Run
from puad.core.wire import OSType, StatusType
from puad.effects.watch import Watch


@dataclass(frozen=True, slots=True)
class Contact:
    """How the last call went; `reachable` is None before the first."""

    reachable: bool | None = None
    last_answer_at: datetime | None = None
    error: PuadError | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What the server answered: its plan, and the images that an operator released there."""

    plan: Plan
    clear_quarantine: tuple[str, ...]


class MaintenanceDesk:
    """Reports to the maintenance manager and remembers how that went.

    Args:
        client: The maintenance manager.
        host_guid: Gives this node's GUID.
        watch: How far the download is, and what keeps the daemon from going on.
    """

    def __init__(
        self,
        client: MaintenanceClient,
        host_guid: Callable[[], str],
        watch: Watch,
    ) -> None:
        self._client = client
        self._host_guid = host_guid
        self._watch = watch
        self.contact = Contact()
        self._trouble: Cause | None = None

    def report(self, run: Run, now: datetime) -> tuple[StatusType, PlanAnswer]:
        """Report the run's status and take the answer.

        Raises:
            PuadError: The server could not be asked, or its answer could not be used.
        """
        status = status_report(
            run,
            trouble=self._trouble_since(now),
            progress_percent=self._watch.percent(),
            step=self._watch.progress.phase,
        )
        try:
            answer = self._client.report(self._host_guid(), status, now)
            if answer.os_type is OSType.MUTABLE:
                what = "The server takes this node for a mutable OS; correct its OS resource"
                raise WireError(Code.SERVER_ANSWER_INVALID, what, on="osType")
        except PuadError as error:
            failures = self.contact.failures + 1
            self.contact = Contact(
                reachable=False,
                last_answer_at=self.contact.last_answer_at,
                error=error,
                failures=failures,
            )
            raise
        self.contact = Contact(reachable=True, last_answer_at=now)
        plan = Plan(answer.offer, answer.schedules, now)
        return status.status_type, PlanAnswer(plan, answer.clear_quarantine)

    def _trouble_since(self, now: datetime) -> Cause | None:
        """What holds the node up; told again it keeps its first time, so that it is one failure."""
        trouble = self._watch.trouble
        if trouble is None:
            self._trouble = None
        elif self._trouble is None or self._trouble.code is not trouble.code:
            self._trouble = Cause(trouble.code, str(trouble), now)
        return self._trouble
