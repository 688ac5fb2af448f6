# SPDX-License-Identifier: Apache-2.0
"""Explanation: what a rollback says of itself, at the node and at the server.

A rollback that nobody understands is half a rollback. The same cause must be told by `puadctl
history`, by the server's update log and by the journal of puad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.demo.waiting import wait_for
from tests.vm.harness.node import BOOT_S, Node

_UPDATE_S = 1800


@dataclass(frozen=True, slots=True)
class Explanation:
    """The three tellings.

    Attributes:
        cause: The last entry of the server's update log.
        history: What `puadctl history` prints.
        journal: What puad has logged since the fallback came up.
    """

    cause: dict[str, str]
    history: str
    journal: str

    def names(self, words: Sequence[str]) -> None:
        """Check that each telling has each of the words.

        Raises:
            AssertionError: naming the telling that has not.
        """
        log = self.cause.get("failure_log", "")
        tellings = {"update_log": log, "history": self.history, "journal": self.journal}
        for telling, text in tellings.items():
            for word in words:
                assert word.lower() in text.lower(), f"{telling} does not say {word!r}:\n{text}"


def roll_back(node: Node, version: str = "2.0", home: str = "a") -> Explanation:
    """Open the window for a bad image, and wait until the node is back and has said so."""
    node.open_window()
    return rolled_back(node, version, home)


def rolled_back(node: Node, version: str = "2.0", home: str = "a") -> Explanation:
    """Wait until the node is back on the old slot and has said why; check what always holds."""
    wait_for("the failure at the server", lambda: node.server.failure(version), _UPDATE_S, 2)
    node.wait_good(home, BOOT_S)
    cause = node.server.failure(version)
    assert cause["status"] == "rolledback", cause
    assert node.server_status() == "FAILED"
    assert node.running() == f"slot {home}: edge 1.0"
    history = node.puadctl("history").text
    assert version in history
    journal = node.guest_output("journalctl", "--no-pager", "--boot", "-u", "puad.service")
    return Explanation(cause, history, journal)
