# SPDX-License-Identifier: Apache-2.0
"""The proxy on the node that the boot-control service's own tests run on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from puad.bootcontrol import BootControl
from tests.integration.bootloader.conftest import Node, node, service

__all__ = ["node", "real_control", "service"]


@pytest.fixture
def real_control(
    node: Node,
    service: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[BootControl]:
    """The proxy, talking to the real service."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", node.address)
    control = BootControl(timeout_s=60, long_timeout_s=60)
    yield control
    control.close()
