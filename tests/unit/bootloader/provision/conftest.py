# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of puad-provision."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bootloader.provision.fake_tools import FakeTools
from tests.unit.bootloader.provision.given import Given


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(tmp_path, FakeTools(tmp_path / "bin", monkeypatch, keep=True))
