# SPDX-License-Identifier: Apache-2.0
"""The id of the request that is answered: in its response, and in every line logged for it."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from typing import Final

HEADER: Final = "x-request-id"
_FORM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

current: Final = ContextVar("request_id", default="")


def chosen(offered: str) -> str:
    """The caller's id, so that it can be followed from outside; a new one when it has no form."""
    return offered if _FORM.fullmatch(offered) else secrets.token_hex(8)
