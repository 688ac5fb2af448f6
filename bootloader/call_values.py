# SPDX-License-Identifier: Apache-2.0
"""What a method call carries and what its answer does: values and descriptors, as Gio has them.

GLib reports a descriptor that cannot be had by an error of its own; here it becomes StorageFailed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from gi.repository import Gio, GLib

from bootloader.chain import MAX_CHAIN_BYTES, MAX_TARGETS_BYTES
from bootloader.chunks import MAX_INDEX_BYTES
from bootloader.durable import storage_errors
from bootloader.errors import BootloaderError, ErrorName

_MAX_ROWS: Final = 1024  # each costs time, however short it is
_MAX_ARGUMENT_BYTES: Final = MAX_CHAIN_BYTES + MAX_TARGETS_BYTES + MAX_INDEX_BYTES + (64 << 10)

Reply = tuple[GLib.Variant | None, Gio.UnixFDList | None]


def unpack_arguments(arguments: GLib.Variant) -> list[Any]:
    """The arguments; byte arrays as bytes, which unpack() would make into lists of numbers.

    Raises:
        BootloaderError: `InvalidArgument`, when they are too long.
    """
    if arguments.get_size() > _MAX_ARGUMENT_BYTES:
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the arguments are too long")
    unpacked: list[Any] = []
    for index in range(arguments.n_children()):
        child = arguments.get_child_value(index)
        match child.get_type_string():
            case "ay":
                unpacked.append(_bytes(child))
            case "aay":
                if child.n_children() > _MAX_ROWS:
                    raise BootloaderError(ErrorName.INVALID_ARGUMENT, "too many rows")
                rows = (child.get_child_value(row) for row in range(child.n_children()))
                unpacked.append([_bytes(row) for row in rows])
            case _:
                unpacked.append(child.unpack())
    return unpacked


def reply_with(fd: int) -> Reply:
    """An answer with a descriptor, which is closed here.

    Raises:
        BootloaderError: `StorageFailed`, when none is left for the copy that is sent.
    """
    try:
        descriptors = Gio.UnixFDList.new()
        with _glib_errors():
            index = descriptors.append(fd)  # its own copy
    finally:
        os.close(fd)
    return GLib.Variant("(h)", (index,)), descriptors


def use_descriptor(
    descriptors: Gio.UnixFDList | None, index: int, use: Callable[[int], None]
) -> None:
    """Use a descriptor that the call carries, and close it.

    Raises:
        BootloaderError: `InvalidArgument`, when it carries none; `StorageFailed`.
    """
    if descriptors is None or not 0 <= index < descriptors.get_length():
        raise BootloaderError(ErrorName.INVALID_ARGUMENT, "the call carries no descriptor")
    with storage_errors("descriptor"), _glib_errors():
        fd = descriptors.get(index)
    try:
        use(fd)
    finally:
        os.close(fd)


@contextmanager
def _glib_errors() -> Iterator[None]:
    try:
        yield
    except GLib.Error as error:
        what = f"the descriptor cannot be passed on: {error.message}"
        raise BootloaderError(ErrorName.STORAGE_FAILED, what) from error


def _bytes(value: GLib.Variant) -> bytes:
    return bytes(value.get_data_as_bytes().get_data() or b"")
