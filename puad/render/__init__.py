# SPDX-License-Identifier: Apache-2.0
"""Render: views of the node as JSON documents, as one line, and as text for people.

Pure functions of values, so that every form is golden-tested without a machine. `puadctl` and the
daemon's D-Bus object render the same views.
"""

from puad.render.document import document, history_document, parse, rfc3339, status_document
from puad.render.one_line import one_line
from puad.render.view import (
    API_VERSION,
    IDLE,
    CauseView,
    HistoryView,
    HoldView,
    ImageView,
    NodeView,
    PastRunView,
    ProgressView,
    QuarantineView,
    RunView,
    ServerView,
    SlotsView,
    StatusView,
    WindowView,
    cause_from_code,
    cause_of,
    past_run_view,
)

__all__ = [
    "API_VERSION",
    "IDLE",
    "CauseView",
    "HistoryView",
    "HoldView",
    "ImageView",
    "NodeView",
    "PastRunView",
    "ProgressView",
    "QuarantineView",
    "RunView",
    "ServerView",
    "SlotsView",
    "StatusView",
    "WindowView",
    "cause_from_code",
    "cause_of",
    "document",
    "history_document",
    "one_line",
    "parse",
    "past_run_view",
    "rfc3339",
    "status_document",
]
