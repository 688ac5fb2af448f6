# SPDX-License-Identifier: Apache-2.0
"""The first page in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.orchestrator_stub.running import Node, Orchestrator

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def test_browser_shows_the_host_with_its_marker(
    orchestrator: Orchestrator, node: Node, tmp_path: Path
) -> None:
    orchestrator.publish(node.profile, "2.0")
    node.poll("UP_TO_DATE", os_image_id="1.0")
    address = orchestrator.url.removeprefix("http://")
    url = f"http://operator:{orchestrator.api_token}@{address}"
    command = ["chromium", *OPTIONS, f"--user-data-dir={tmp_path}", "--dump-dom", url]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    assert "<h1>Active Hosts</h1>" in dump
    assert node.guid in dump
    assert 'title="OS update available"' in dump
