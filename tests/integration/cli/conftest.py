# SPDX-License-Identifier: Apache-2.0
"""puadctl as a real process on a private bus."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.integration.cli.puadctl import Puadctl, command, environment


@pytest.fixture
def puadctl(system_bus: str) -> Callable[..., Puadctl]:
    """Run puadctl to its end."""

    def run(*words: object, **variables: str) -> Puadctl:
        done = subprocess.run(
            command(*words),
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Puadctl(done.returncode, done.stdout, done.stderr)

    return run
