# SPDX-License-Identifier: Apache-2.0
"""Virtual machines cost minutes: only who names this folder gets them (`make test-vm`)."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any("tests/vm" in argument for argument in config.args)
    return None if asked or not collection_path.is_dir() else True
