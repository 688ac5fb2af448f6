# SPDX-License-Identifier: Apache-2.0
"""A kernel of a few bytes: it writes its name, its initrd and its command line to QEMU's debug
port, and resets the machine, so that a boot loader's choice is seen as a kernel sees it.
"""

from __future__ import annotations

import struct

_SETUP_BYTES = 1024  # boot sector and one sector of setup, both never run
_COMMAND_LINE_BYTES = 2047
_INITRD_IMAGE, _INITRD_SIZE, _COMMAND_LINE = 0x218, 0x21C, 0x228  # fields of boot_params


def _put(text: str) -> bytes:
    """Machine code that writes a text."""
    return b"".join(bytes([0xB0, char, 0xE6, 0xE9]) for char in text.encode())  # mov al; out 0xe9


def _code(name: str) -> bytes:
    load = b"\x8b\x9e%s" % struct.pack("<I", _INITRD_IMAGE)  # mov ebx, [esi+initrd image]
    size = b"\x83\xbe%s\x00" % struct.pack("<I", _INITRD_SIZE)  # cmp dword [esi+initrd size], 0
    show = b"\x8a\x03\xe6\xe9"  # mov al, [ebx]; out 0xe9, al: the first byte of the initrd
    line = b"\x8b\xb6%s" % struct.pack("<I", _COMMAND_LINE)  # mov esi, [esi+command line]
    # next: lodsb; test al, al; jz end; out 0xe9, al; jmp next; end:
    loop = b"\xac\x84\xc0\x74\x04\xe6\xe9\xeb\xf7"
    reset = b"\x66\xba\xf9\x0c\xb0\x06\xee\xf4\xeb\xfd"  # mov dx, 0xcf9; mov al, 6; out; hlt
    initrd = load + size + b"\x74%c" % len(show) + show
    return b"\xfc" + _put(f"{name}|") + initrd + _put("|") + line + loop + _put("\n") + reset


def stub_kernel(name: str) -> bytes:
    """A bzImage that writes `name|first byte of its initrd|command line` and a line feed."""
    setup = bytearray(_SETUP_BYTES)
    struct.pack_into("<B", setup, 0x1F1, _SETUP_BYTES // 512 - 1)
    struct.pack_into("<HBB4sH", setup, 0x1FE, 0xAA55, 0xEB, 0x66, b"HdrS", 0x206)
    struct.pack_into("<B", setup, 0x211, 1)  # load at 1 MiB
    struct.pack_into("<I", setup, 0x214, 0x100000)
    struct.pack_into("<III", setup, 0x22C, 0x7FFFFFFF, 0x100000, 0)  # initrd limit, alignment
    struct.pack_into("<I", setup, 0x238, _COMMAND_LINE_BYTES)
    code = _code(name)
    return bytes(setup) + code.ljust(512, b"\x90")


# for AArch64, as assembled; x0 is the device tree
_ARM64_CODE = bytes.fromhex(
    "0120a1d2e50300aa"  # mov x1, #0x9000000 (the serial port of QEMU's virt); mov x5, x0
    "e2030070"  # adr x2, name
    "4314403863000034230000b9fdffff17"  # until NUL: ldrb w3, [x2], #1; str w3, [x1]
    "a40440b98408c05a8400058b"  # x4 = x5 + rev([x5, #4]): the end of the device tree
    "bf0004ebc2010054"  # cmp x5, x4; b.hs end
    "62020010e60305aa"  # adr x2, marker; mov x6, x5
    "43144038c3000034c71440387f00076b80ffff54"  # compare up to the marker's NUL
    "a5040091f6ffff17"  # not here: x5 + 1, again
    "a314403863000034230000b9fdffff17"  # until NUL: ldrb w3, [x5], #1; str w3, [x1]
    "43018052230000b9"  # end: a line feed
    "0080b0d2200180f2020000d400000014"  # PSCI SYSTEM_RESET by hvc
)
ARM64_MARKER = "puad-line "


def arm64_stub_kernel(name: str) -> bytes:
    """An Image that writes `name|` and what follows ARM64_MARKER in its command line."""
    sizes = struct.pack("<QQQQQQ4sI", 0x80000, 0x10000, 2, 0, 0, 0, b"ARM\x64", 0)
    head = struct.pack("<II", 0x14000010, 0) + sizes
    texts = f"{ARM64_MARKER}\0{name}|\0".encode()
    return (head + _ARM64_CODE + texts).ljust(4096, b"\0")
