# SPDX-License-Identifier: Apache-2.0
"""The command line, over a fresh data directory."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.main import main
from tests.integration.orchestrator_stub.commands.given import Facts, Told


@pytest.fixture
def told(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Told:
    """Run a command: its exit status, and what it has said."""

    def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        kept = logging.root.handlers[:]
        status = main([*words, "--data-dir", str(directory.path)])
        logging.root.handlers[:] = kept  # what the test itself does is not the command's to tell
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def facts(told: Told) -> Facts:
    """Run a command that works, with --json."""

    def run(*words: str, stdin: str = "") -> Any:
        status, out, err = told(*words, "--json", stdin=stdin)
        assert (status, err) == (0, ""), err
        assert out.count("\n") == 1
        document = json.loads(out)
        assert document.pop("schema") == 1
        return document

    return run
