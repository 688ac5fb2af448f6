# SPDX-License-Identifier: Apache-2.0
"""Operators: rollback and retry, at the node and from the server."""

from __future__ import annotations

from collections.abc import Callable

from tests.demo.waiting import wait_for
from tests.vm.harness.bench import FIRST
from tests.vm.harness.explanation import roll_back, rolled_back
from tests.vm.harness.node import BOOT_S, Node

Staged = Callable[..., Node]


def test_operator_rolls_a_good_update_back_at_the_node_and_the_server_has_it_retried(
    staged: Staged,
) -> None:
    node = staged()
    node.open_window()
    node.wait_updated("b")
    assert node.puadctl("rollback", "--no-wait").code == 0
    told = rolled_back(node)
    told.names(["operator"])
    node.server.command("retry")
    node.wait_slot("b")
    node.wait_updated("b")


def test_operator_takes_a_node_back_to_the_older_version_from_the_server(staged: Staged) -> None:
    node = staged()
    node.open_window()
    node.wait_updated("b")
    node.wait_status("UP_TO_DATE")
    node.server.link_target(FIRST)
    node.wait_slot("a")
    node.wait_updated("a")
    assert node.running() == f"slot a: edge {FIRST}"


def test_image_that_failed_is_tried_again_only_when_somebody_says_so(staged: Staged) -> None:
    node = staged("required-probe-fails")
    roll_back(node)
    resets = node.machine.resets
    runs = len(node.server.runs())
    node.puadctl("retry")
    wait_for("another run", lambda: len(node.server.runs()) > runs, 2 * BOOT_S, 2)
    rolled_back(node).names(["application"])
    assert node.machine.resets == 2 * resets
