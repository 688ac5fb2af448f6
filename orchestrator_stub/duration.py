# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them: a whole number and its unit, `90d`, `12h`, `30m` or `45s`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

HOW_TO_WRITE: Final = "a whole number and s, m, min, h or d, like 90d"
_UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_FORM: Final = re.compile(r"([1-9][0-9]{0,8})(s|m|min|h|d)")


def parse_duration(text: str) -> timedelta:
    """The duration.

    Raises:
        ValueError: When it is not written so.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write {HOW_TO_WRITE}")
    return timedelta(seconds=int(match[1]) * _UNITS_S[match[2]])
