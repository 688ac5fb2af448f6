# SPDX-License-Identifier: Apache-2.0
"""What a method call carries, unpacked within bounds."""

from __future__ import annotations

import pytest
from gi.repository import GLib

from bootloader.call_values import unpack_arguments
from bootloader.errors import BootloaderError, ErrorName


def seal_of(rows: int) -> GLib.Variant:
    return GLib.Variant("(saay)", ("b", [b"root"] * rows))


def test_rows_are_unpacked_as_bytes() -> None:
    assert unpack_arguments(seal_of(3)) == ["b", [b"root"] * 3]


def test_too_many_rows_are_refused_however_short_they_are() -> None:
    assert len(unpack_arguments(seal_of(1024))[1]) == 1024
    with pytest.raises(BootloaderError) as caught:
        unpack_arguments(seal_of(1025))
    assert caught.value.name is ErrorName.INVALID_ARGUMENT
