# SPDX-License-Identifier: Apache-2.0
"""D-Bus error names of `org.puad.Agent1`, one for each `Code`.

`nothing-to-do` is `org.puad.Agent1.Error.NothingToDo`: the daemon raises by the one function,
`puadctl` understands by the other, and neither keeps a table.
"""

from __future__ import annotations

from typing import Final

from puad.core.errors import Code

PREFIX: Final = "org.puad.Agent1.Error."


def error_name(code: Code) -> str:
    """The D-Bus error name of a code."""
    return PREFIX + "".join(word.capitalize() for word in code.value.split("-"))


_CODES: Final = {error_name(code): code for code in Code}


def code_of(name: str) -> Code | None:
    """The code of a D-Bus error name; None when it is nobody's name."""
    return _CODES.get(name)
