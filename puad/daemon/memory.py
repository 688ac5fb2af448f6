# SPDX-License-Identifier: Apache-2.0
"""Memory: the stored run and the history of ended ones."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any, Final

from puad.core.errors import StorageError
from puad.core.run import Run, State
from puad.core.snapshot import dump_run, load_run
from puad.render import CauseView, HistoryView, ImageView, PastRunView, document, parse
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

        Raises:
            StorageError: It could not be persisted, so its actions must not be performed.
        """
        document = dump_run(run)
        if document != self._stored:
            self._store.write(_NAME, document)
            self._stored = document

    def remember(self, run: Run, now: datetime) -> None:
        """Put an ended run into the history, once.

        Raises:
            StorageError: The history could not be written.
        """
        goal = run.goal
        if goal is None or any(row.get("id") == goal.run_id for row in self._history_rows()):
            return
        cause = run.cause
        past = PastRunView(
            id=goal.run_id,
            state=run.state.value if run.state in _ENDS else State.IDLE.value,
            image=ImageView(goal.offer.image_id, goal.offer.file_hash, goal.offer.url),
            from_image_id=run.facts.image_id if run.facts and run.state is not State.DONE else "",
            slot=goal.slot,
            started_at=goal.started_at,
            finished_at=now,
            cause=CauseView(cause.code.value, cause.text, cause.hint) if cause else None,
            operator=goal.by_operator,
        )
        (row,) = document(HistoryView((past,)))["runs"]
        self._store.append_history(row)

    def history(self) -> HistoryView:
        """Past update runs, newest first; empty when they cannot be read."""
        return parse(HistoryView, json.dumps({"runs": self._history_rows()}))

    def _history_rows(self) -> list[dict[str, Any]]:
        try:
            return self._store.history()
        except StorageError as error:
            _LOG.warning("%s", error)
            return []


_ENDS: Final = frozenset({State.DONE, State.ROLLED_BACK, State.FAILED})
