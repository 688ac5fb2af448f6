# SPDX-License-Identifier: Apache-2.0
"""The log: standard error, with priorities instead of times where the journal collects it.

The journal knows when a line came; `<4>` before it says how grave it is (sd-daemon(3)).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Final

_PLAIN: Final = "%(asctime)s %(levelname)s bootloader: %(message)s"
_PRIORITIES: Final = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG: Final = 7


class JournalFormatter(logging.Formatter):
    """One priority before each line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as lines for the journal."""
        priority = next(
            (number for level, number in _PRIORITIES if record.levelno >= level), _DEBUG
        )
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


def set_up() -> None:
    """Send what is logged to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if _is_under_journal():
        handler.setFormatter(JournalFormatter())
    else:
        formatter = logging.Formatter(_PLAIN)
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _is_under_journal() -> bool:
    """Whether standard error goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`)."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
