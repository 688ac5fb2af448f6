# SPDX-License-Identifier: Apache-2.0
"""How `puad` ends when it cannot begin."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from puad import daemon


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("absent", ["persist", "run"])
def test_main_without_a_folder_of_its_own_may_be_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], absent: str
) -> None:
    paths = {name: tmp_path / name for name in ("persist", "run")}
    for name, path in paths.items():
        if name != absent:
            path.mkdir()
    config = tmp_path / "config"
    config.mkdir()
    lines = [f'{name} = "{path}"' for name, path in paths.items()]
    (config / "10.toml").write_text("\n".join(["[paths]", *lines]))

    assert daemon.main(["--config-dir", str(config)]) == os.EX_CANTCREAT

    first, second = capsys.readouterr().err.splitlines()
    assert " CRITICAL puad: The folder is missing" in first
    assert first.endswith(f"({paths[absent]})")
    assert second.startswith("hint: ")


def test_main_with_a_configuration_that_is_not_there_is_not_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent"

    assert daemon.main(["--config-dir", str(absent)]) == os.EX_CONFIG

    assert f" CRITICAL puad: there is no folder {absent} (--config-dir)" in capsys.readouterr().err
