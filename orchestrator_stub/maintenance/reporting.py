# SPDX-License-Identifier: Apache-2.0
"""What a report does to the records: the instance's status, the OS that it runs, its history.

Rules (protocol.md §3a, with its flaws mended):

1. A status that is not new is not written again, and a failure that is told again is not new.
2. A detail is kept of UPDATED and FAILED. One that is no update log is dropped, the status is kept.
3. A node that has come to rest (UP_TO_DATE, UPDATED, FAILED) says which image it runs, and the
   instance's OS resource follows it, with the CVEs of that image and the update that is available
   from there. When there is no such OS resource, or the node reports another profile, the status
   still counts and the instance's `detail` says what is wrong.
4. A hash that an operator has released is told until the node's quarantine has it no more; a node
   that tells no quarantine is told until its status is not FAILED.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator_stub.maintenance import update_run
from orchestrator_stub.maintenance.failure import Detail
from orchestrator_stub.maintenance.plan import Assignment
from orchestrator_stub.maintenance.status import UPDATE_STATUS
from orchestrator_stub.maintenance.update_run import Occasion
from orchestrator_stub.os_resources import OSResources
from orchestrator_stub.records import IMAGE_ID_CHARS, Instance, OSResource
from puad.core.errors import WireError
from puad.core.model import SlotState
from puad.core.wire import StatusReport, StatusType

AT_REST: Final = frozenset({StatusType.UP_TO_DATE, StatusType.UPDATED, StatusType.FAILED})
_DETAILED: Final = frozenset({StatusType.UPDATED, StatusType.FAILED})
_SEALED: Final = frozenset({StatusType.DOWNLOADED, StatusType.STARTED})

log = logging.getLogger(__name__)


class Reporting:
    """One report on its way into the records of its instance."""

    def __init__(
        self, session: Session, instance: Instance, resources: OSResources, report: StatusReport
    ) -> None:
        self._session = session
        self._instance = instance
        self._resources = resources
        self._report = report
        self._image_id = report.os_image_id[:IMAGE_ID_CHARS]
        self._detail = _detail(report)

    @property
    def _of_profile(self) -> bool:
        return self._report.profile_name in {"", self._instance.profile_name}

    @property
    def _at_rest(self) -> bool:
        return self._report.status_type in AT_REST

    @property
    def is_old(self) -> bool:
        """Whether the node is at rest as it was: then no run is open, and none begins."""
        instance = self._instance
        if not self._at_rest or instance.update_status != self._status_text or self._moved:
            return False
        kept = Detail.kept(instance.update_status_detail).failure
        return self._report.status_type is not StatusType.FAILED or self._detail.failure == kept

    def write(self, assignment: Assignment, now_s: int) -> None:
        """Write down what is new.

        Args:
            assignment: What the policy wanted when the report came.
            now_s: When it came.
        """
        if not self.is_old:
            occasion = self._occasion(assignment, now_s)
            last = update_run.last_run(self._session, self._instance)
            update_run.follow(self._session, self._instance, last, occasion)
        self._set_status(now_s)
        self._set_extras()
        if self._at_rest and self._image_id:
            self._follow_image()

    @property
    def _status_text(self) -> str:
        return UPDATE_STATUS[self._report.status_type].text

    @property
    def _moved(self) -> bool:
        return self._of_profile and self._image_id not in {"", self._instance.image_id}

    def _occasion(self, assignment: Assignment, now_s: int) -> Occasion:
        offered = assignment.offered
        return Occasion(
            status_type=self._report.status_type,
            now_s=now_s,
            image_id=self._image_id if self._of_profile else "",
            moved=self._moved,
            target=self._target(),
            offered=offered.image_id if offered else "",
            detail=self._detail,
            rejection=self._rejection(),
        )

    def _target(self) -> str:
        """The image that the node is about to run: booted already, or sealed on another slot."""
        if self._report.status_type not in _SEALED:
            return ""
        if self._report.status_type is StatusType.STARTED and self._moved and self._image_id:
            return self._image_id
        others = (
            slot.image_id for slot in self._report.slots if slot.state is not SlotState.BOOTED
        )
        return next(filter(None, others), "")

    def _rejection(self) -> str:
        """Why UPDATED is not what it says; empty when it is."""
        if self._report.status_type is not StatusType.UPDATED:
            return ""
        if not self._image_id:
            return "the node did not say what it runs"
        if not self._of_profile:
            return (
                f"the node runs profile {self._report.profile_name} {self._image_id}, "
                f"and this instance has profile {self._instance.profile_name}"
            )
        if self._resources.with_image(self._instance.profile_name, self._image_id) is None:
            return f"the node runs {self._image_id}, which is no OS resource here"
        return ""

    def _set_status(self, now_s: int) -> None:
        instance, status = self._instance, UPDATE_STATUS[self._report.status_type]
        kept = instance.update_status_detail
        if instance.update_status != status.text:
            instance.update_status, instance.update_status_indicator = status.text, status.indicator
            instance.update_status_s = now_s
            instance.update_status_detail = self._detail.text
        elif self._detail.failure and self._detail.failure != Detail.kept(kept).failure:
            instance.update_status_detail = self._detail.text

    def _set_extras(self) -> None:
        instance, report = self._instance, self._report
        quarantine = list(report.quarantine or ())
        if report.quarantine is not None:
            released = [one for one in instance.released if one in report.quarantine]
        else:
            failed = report.status_type is StatusType.FAILED
            released = list(instance.released) if failed else []
        slots: list[dict[str, Any]] = [dict(slot.dump()) for slot in report.slots]
        changes = {
            "update_progress_percent": report.progress_percent,
            "phase": report.phase,
            "slots": slots or instance.slots,  # a node that has just started knows none yet
            "quarantine": quarantine,
            "released": released,
        }
        for name, value in changes.items():
            if getattr(instance, name) != value:
                setattr(instance, name, value)

    def _follow_image(self) -> None:
        instance, image_id = self._instance, self._image_id
        if not self._of_profile:
            self._explain(
                f"The node runs profile {self._report.profile_name} {image_id}, "
                f"but this instance has profile {instance.profile_name}."
            )
            return
        runs = self._resources.with_image(instance.profile_name, image_id)
        newer = self._resources.newer(instance.profile_name, image_id)
        os_id, available_os_id = runs.id if runs else None, newer.id if newer else None
        if (instance.image_id, instance.os_id) != (image_id, os_id):
            instance.image_id, instance.os_id = image_id, os_id
            instance.existing_cves = self._existing_cves(os_id)
        if instance.available_os_id != available_os_id:
            instance.available_os_id = available_os_id
        what = f"The node runs {instance.profile_name} {image_id}, which is no OS resource here."
        self._explain("" if runs is not None else what)

    def _existing_cves(self, os_id: str | None) -> list[dict[str, Any]]:
        cves = select(OSResource.existing_cves).where(OSResource.id == os_id)
        return (self._session.scalar(cves) if os_id else None) or []

    def _explain(self, detail: str) -> None:
        if self._instance.detail != detail:
            self._instance.detail = detail


def _detail(report: StatusReport) -> Detail:
    """The detail to keep of a report."""
    if report.status_type not in _DETAILED:
        return Detail()
    try:
        return Detail.read(report.status_detail)
    except WireError as error:
        log.info("a status detail was dropped: %s", error)
        return Detail()
