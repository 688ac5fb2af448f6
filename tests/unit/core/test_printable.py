# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from puad.core.printable import printable, printable_line


def test_printable_replaces_what_a_terminal_would_obey() -> None:
    assert printable("a\x1b[2Jb\nc\ud800é") == "a\ufffd[2Jb\ufffdc\ufffdé"
    assert printable("a\n\tb\r", kept="\n\t") == "a\n\tb\ufffd"


def test_printable_line_is_one_line_and_cut() -> None:
    assert printable_line("  one\n two\x07 three ", 9) == "one two\ufffd "
