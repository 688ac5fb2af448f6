# SPDX-License-Identifier: Apache-2.0
"""Memory: the stored run and the history of ended ones."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from puad.core.errors import StorageError
from puad.core.past_run import PastRun, dump_past_run, load_past_run, past_run
from puad.core.run import Run
from puad.core.snapshot import dump_run, load_run
from puad.render import HistoryView, past_run_view
from puad.store import Store

_NAME: Final = "run"
_LOG: Final = logging.getLogger(__name__)


class Memory:
    """Loads the run at start and persists it before its actions are performed.

    Args:
        store: The durable store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored: dict[str, Any] | None = None

    def load(self) -> tuple[Run, bool]:
        """The stored run, and whether it is lost; a first start counts as lost as well."""
        try:
            document = self._store.read(_NAME)
        except StorageError as error:
            _LOG.warning("%s; puad goes by the facts. %s", error, error.hint)
            return Run(), True
        if document is None:
            return Run(), True
        return load_run(document), False

    def keep(self, run: Run) -> None:
        """Persist the run, when anything of it has changed.

        That the server said the same again is no change: a node that rests would write, and wake
        its disk, at every poll. After a restart it asks again in any case.

        Raises:
            StorageError: It could not be persisted, so its actions must not be performed.
        """
        document = dump_run(run)
        lasting = document | {"plan": document["plan"] | {"answered_at": None}}
        if lasting != self._stored:
            self._store.write(_NAME, document)
            self._stored = lasting

    def remember(self, run: Run, now: datetime) -> None:
        """Put an ended run into the history, once.

        Raises:
            StorageError: The history could not be written.
        """
        past = past_run(run, now)
        if past is None or any(known.run_id == past.run_id for known in self._past_runs()):
            return
        self._store.append_history(dump_past_run(past))

    def history(self) -> HistoryView:
        """Past update runs, newest first; empty when they cannot be read."""
        return HistoryView(tuple(past_run_view(past) for past in self._past_runs()))

    def _past_runs(self) -> list[PastRun]:
        try:
            entries = self._store.history()
        except StorageError as error:
            _LOG.warning("%s", error)
            return []
        return [past for past in map(load_past_run, entries) if past is not None]
