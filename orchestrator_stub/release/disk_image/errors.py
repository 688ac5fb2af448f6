# SPDX-License-Identifier: Apache-2.0
"""What the readers of a whole disk raise: one error for each thing that is read."""

from __future__ import annotations

from puad.core.printable import printable


class DiskImageError(Exception):
    """The disk cannot be published as it is.

    Args:
        what: What is wrong, as a sentence without a full stop. It may name what stands on the disk,
            so it is made fit for a terminal here.
        hint: One sentence that says what to do next.
    """

    def __init__(self, what: str, *, hint: str = "") -> None:
        self.what = printable(what)
        super().__init__(self.what)
        self.hint = hint


class GptError(DiskImageError):
    """The partition table cannot be read."""


class FatError(DiskImageError):
    """The FAT file system cannot be read as far as that was asked."""


class UkiError(DiskImageError):
    """The file is no unified kernel image, or a damaged one."""


class ChoiceError(DiskImageError):
    """Which partition or file is meant is not clear, or it is not there."""
