# SPDX-License-Identifier: Apache-2.0
"""The agent's bus object over an agent that only tells what was asked of it."""

from __future__ import annotations

import os
import sys

from gi.repository import GLib

from puad.render import HistoryView, NodeView, StatusView
from puad.service import AgentObject, Reply
from puad.system_bus import connect


class Told:
    """An agent that prints what reaches it."""

    def status_view(self) -> StatusView:
        return StatusView(node=NodeView("", "", ""))

    def history_view(self) -> HistoryView:
        return HistoryView()

    def check(self, reply: Reply) -> None:
        self._tell("check")
        reply.done("{}")

    def operate(self, verb: str, reply: Reply) -> None:
        self._tell(verb)
        reply.done("run-1" if verb in {"run", "rollback"} else True)

    def install(self, folder: int, reply: Reply) -> None:
        os.close(folder)
        self._tell("install")
        reply.done("run-1")

    def _tell(self, what: str) -> None:
        sys.stdout.write(f"{what}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    AgentObject(Told()).export(connect().con)
    GLib.MainLoop().run()
