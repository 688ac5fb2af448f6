# SPDX-License-Identifier: Apache-2.0
"""Operators: back to the older version and forth again, at the node and from the server.

How an image that failed is tried again is in `test_verdicts.py`.
"""

from __future__ import annotations

import contextlib

import pytest

from tests.vm.harness.bench import FIRST, Staged
from tests.vm.harness.explanation import rolled_back
from tests.vm.harness.guest import GuestAwayError


@pytest.mark.minutes(5)
def test_operators_take_a_good_update_back_at_the_node_and_from_the_server(staged: Staged) -> None:
    node = staged()
    node.open_window()
    node.wait_updated("b")
    with contextlib.suppress(GuestAwayError):  # the reboot may be quicker than the answer
        assert node.puadctl("rollback", "--no-wait").code == 0
    rolled_back(node).names(["operator"])

    node.server.command("retry")
    node.ask_server()
    node.wait_slot("b")
    node.wait_updated("b")
    node.wait_status("UP_TO_DATE")

    node.server.link_target(FIRST)
    node.ask_server()
    node.wait_slot("a")
    node.wait_updated("a")
    assert node.running() == f"slot a: edge {FIRST}"
