# SPDX-License-Identifier: Apache-2.0
"""The OS resource manager: it asks the release service now and then, and on request.

What was fetched of a document once is not fetched again while its hash stays the same. After a
start everything is fetched once.

A reading takes as long as the release service lets it, and who asks for one waits in a thread of
the server. So of those who ask only a few do; a node's poll needs a thread as well.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, or_, select

from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError
from orchestrator_stub.os_resources.revision import Selection
from orchestrator_stub.os_resources.taking import Key, Refresh, take
from orchestrator_stub.records import OSResource, Project
from orchestrator_stub.release_service import Publication, ReleaseService
from puad.core.profile import OSProfile

RETRY_S: Final = 300
ASKING: Final = 2
"""Who may ask at a time: one that is answered, and one that comes when that is already late."""

_STOP_WAIT_S: Final = 5.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """How often the release service was read since the start, and how often it could not be."""

    succeeded: int = 0
    failed: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one reading."""
        try:
            yield
        except BaseException:
            self.failed += 1
            raise
        self.succeeded += 1


class ResourceManager:
    """Looks for new OS profiles, now and then and on request.

    Attributes:
        tally: How that went.
    """

    def __init__(
        self, database: Database, service: ReleaseService, selection: Selection, period_s: int
    ) -> None:
        self._database = database
        self._service = service
        self._selection = selection
        self._period_s = period_s
        self._taken: dict[str, str] = {}
        self.tally = Tally()
        self._one_at_a_time = threading.Lock()
        self._asking = threading.BoundedSemaphore(ASKING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resource-manager", daemon=True)

    def start(self) -> None:
        """Refresh now and then, from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the periodic refresh."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WAIT_S)

    def refresh(self) -> Refresh:
        """Read the release service now, because somebody asks for it.

        Raises:
            OrchestratorError: `ABORTED`, when others have asked and wait; or when it
                cannot be read or verified, and the records are as before.
        """
        if not self._asking.acquire(blocking=False):
            raise OrchestratorError(
                Code.ABORTED,
                "others have asked for it already, and the release service is slow",
                hint="Look again in a minute or two.",
            )
        try:
            return self._read()
        finally:
            self._asking.release()

    def _read(self) -> Refresh:
        with self._one_at_a_time, self.tally.counted():
            complete = self._complete()
            publication = self._service.read(lambda profile: self._wanted(profile, complete))
            result = self._database.write(
                lambda session: take(session, publication, self._selection)
            )
            self._remember(publication, result)
            return result

    def _complete(self) -> set[Key]:
        """The releases of which every project has the OS resource, with its packages."""
        with self._database.reading() as session:
            projects = session.scalar(select(func.count()).select_from(Project))
            has_packages = or_(
                OSResource.installed_packages_url == "", OSResource.installed_packages != ""
            )
            rows = session.execute(
                select(OSResource.profile_name, OSResource.image_id)
                .where(has_packages)
                .group_by(OSResource.profile_name, OSResource.image_id)
                .having(func.count() == projects)
            )
            return {(profile_name, image_id) for profile_name, image_id in rows}

    def _wanted(self, profile: OSProfile, complete: set[Key]) -> Mapping[str, str]:
        if not self._selection.takes(profile.profile_name) or self._selection.objection(profile):
            return {}
        paths = [profile.existing_cves_url, profile.fixed_cves_url]
        is_complete = (profile.profile_name, profile.image_id) in complete
        if not is_complete:
            paths.append(profile.package_manifest_url)
        return {path: self._taken.get(path, "") if is_complete else "" for path in paths if path}

    def _remember(self, publication: Publication, result: Refresh) -> None:
        unread = {line.partition(":")[0] for line in result.incomplete}
        self._taken = {
            path: document.sha256
            for path, document in publication.documents.items()
            if path not in unread
        }

    def _run(self) -> None:
        wait_s = 0
        while not self._stopping.wait(wait_s):
            wait_s = self._period_s
            try:
                self._read()
            except OrchestratorError as error:
                wait_s = min(self._period_s, RETRY_S)
                # the message says it all; a trace is for what nobody foresaw
                log.error(  # noqa: TRY400 - see above
                    "OS profiles were not refreshed, next try in %d s: %s", wait_s, error
                )
            except Exception:
                wait_s = min(self._period_s, RETRY_S)
                log.exception("OS profiles were not refreshed, next try in %d s", wait_s)
