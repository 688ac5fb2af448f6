# SPDX-License-Identifier: Apache-2.0
"""Emulator: Debian 13's QEMU, run from its folder with its own libraries, on any host."""

from __future__ import annotations

import functools

from tests.vm.image.layout import filling_cache
from tests.vm.image.roots import EMULATOR, make_root


@functools.cache
def emulator() -> tuple[str, ...]:
    """The words that start `qemu-system-x86_64`."""
    with filling_cache():
        root = make_root(EMULATOR)
    firmware = [word for name in ("qemu", "seabios") for word in ("-L", f"{root}/usr/share/{name}")]
    return (
        f"{root}/lib64/ld-linux-x86-64.so.2",
        "--library-path",
        f"{root}/usr/lib/x86_64-linux-gnu",
        f"{root}/usr/bin/qemu-system-x86_64",
        *firmware,
    )
