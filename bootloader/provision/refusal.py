# SPDX-License-Identifier: Apache-2.0
"""ProvisionError: what puad-provision refuses or could not do, on what, and what to do next."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any, Final

DOCUMENT: Final = "/usr/share/doc/puad/boot-control.md"
"""What tells of the boot loaders, where the package has put it."""

# The word of each exit code in the JSON document, and whether nothing was written for certain.
_WORDS: Final = MappingProxyType(
    {
        os.EX_USAGE: ("usage", True),
        os.EX_UNAVAILABLE: ("tool-missing", True),
        os.EX_SOFTWARE: ("internal", False),
        os.EX_OSERR: ("tool-failed", False),
        os.EX_CANTCREAT: ("refused", True),
        os.EX_IOERR: ("disk-failed", False),
        os.EX_NOPERM: ("needs-root", True),
        os.EX_CONFIG: ("config-invalid", True),
    }
)


class ProvisionError(Exception):
    """A refusal or a failure.

    Args:
        what: What happened, as a sentence without a full stop.
        on: The disk or file that it happened on.
        hint: What to do next; empty when there is nothing to say.
        code: The exit code, one of sysexits.
    """

    def __init__(
        self, what: str, *, on: object, hint: str = "", code: int = os.EX_CANTCREAT
    ) -> None:
        super().__init__(what, on, hint, code)
        self.what = what
        self.on = str(on)
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.what} ({self.on})"

    def document(self) -> dict[str, Any]:
        """The error for `--json`; `changed` is null when something may have been written."""
        word, untouched = _WORDS[self.code]
        return {
            "changed": False if untouched else None,
            "error": {
                "code": word,
                "text": str(self),
                "hint": self.hint,
                "exit_code": self.code,
            },
        }
