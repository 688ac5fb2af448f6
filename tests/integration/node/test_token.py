# SPDX-License-Identifier: Apache-2.0
"""The node's token: revoked by host, renewed by a file swap, and warned of in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_stub.main import main
from tests.integration.node.fleet import Fleet
from tests.integration.node.rig import PROFILE, Rig

pytestmark = [pytest.mark.dbus, pytest.mark.timeout(900)]


def renew(fleet: Fleet, rig: Rig, file: Path, lifetime: str) -> None:
    """What an operator does at the orchestrator, over the file that the node has."""
    host = fleet.orchestrator.get(f"compute/hosts/{rig.server.host_id}")
    known = ["enrol", host["name"], "--guid", rig.server.guid, "--profile", PROFILE]
    data = ["--data-dir", str(fleet.orchestrator.directory.path)]
    handover = ["--renew", "--expires", lifetime, "--token-file", str(file)]
    assert main([*known, *data, *handover]) == 0


def test_token_is_renewed_by_a_file_swap_while_the_daemon_runs(fleet: Fleet, rig: Rig) -> None:
    def error() -> str:
        return str((rig.status().get("server", {}).get("error") or {}).get("code", ""))

    rig.power_on()
    rig.wait(lambda: rig.status().get("server", {}).get("reachable"), "the node reports")
    daemon = rig.processes["puad"].pid
    assert rig.status()["server"]["token_warning"] == ""
    fleet.orchestrator.rest("PUT", f"compute/hosts/{rig.server.host_id}/invalidate?note=lost")
    rig.wait(lambda: error() == "server-unauthenticated", "its token is revoked")

    renew(fleet, rig, rig.persist / "token", "9d")

    rig.wait(lambda: rig.status().get("server", {}).get("reachable"), "the node reports again")
    assert rig.processes["puad"].pid == daemon
    assert rig.processes["puad"].poll() is None
    assert "expires in 8 days" in rig.status()["server"]["token_warning"]
    assert "Token         The token expires in 8 days" in rig.puadctl("status").stdout
    assert rig.story() == ["IDLE"]
