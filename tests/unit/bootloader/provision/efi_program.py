# SPDX-License-Identifier: Apache-2.0
"""The smallest thing that has the head of an EFI program."""

from __future__ import annotations

import struct


def efi_program(machine: int = 0x8664) -> bytes:
    """An EFI program's head, for that machine."""
    head = bytearray(128)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 64)
    struct.pack_into("<4sH", head, 64, b"PE\0\0", machine)
    return bytes(head)
