# SPDX-License-Identifier: Apache-2.0
"""os-release(5): what an image calls itself."""

from __future__ import annotations

import re
from typing import Final

_ASSIGNMENT: Final = re.compile(r"[ \t]*([A-Z][A-Z0-9_]*)=(.*)")
_ESCAPE: Final = re.compile(r"\\([\\\"$`'])")
_QUOTES: Final = ("'", '"')


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file; lines that are none are passed over."""
    found = (_ASSIGNMENT.fullmatch(line) for line in text.splitlines())
    return {match[1]: _unquote(match[2].strip()) for match in found if match}


def _unquote(value: str) -> str:
    if len(value) > 1 and value.startswith(_QUOTES) and value.endswith(value[0]):
        value = value[1:-1]
    return _ESCAPE.sub(r"\1", value)
