# SPDX-License-Identifier: Apache-2.0
"""ProvisionError: what puad-provision refuses or could not do, on what, and what to do next."""

from __future__ import annotations

import os


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
        text = f"{self.on}: {self.what}"
        return f"{text}; {self.hint}" if self.hint else text
