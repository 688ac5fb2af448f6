# SPDX-License-Identifier: Apache-2.0
"""Names: how long they may be, and of which characters, wherever people give them.

Each form is a regular expression that the whole name has to match.
"""

from __future__ import annotations

from typing import Final

MAX_CHARS: Final = 50
"""Of places, schedules and policies (protocol.md §3b, §5)."""

ORIGINAL: Final = r"[a-zA-Z\-_0-9./: ]*"
"""The names that the original API takes; empty where one may be left out."""

HOST: Final = r"[A-Za-z0-9][A-Za-z0-9._\-]{0,62}"
HOST_GUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
PROGRAM: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Of projects and API tokens, which stand in paths and command lines."""
