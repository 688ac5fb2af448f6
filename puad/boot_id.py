# SPDX-License-Identifier: Apache-2.0
"""The boot id: what tells this boot from every other one, also in the journal.

The kernel says it. A sandbox that hides /proc/sys (systemd's `ProcSubset=pid`) hides it as well:
then this boot gets a name of its own, which the journal does not know, so that a start never fails
for it.
"""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from pathlib import Path
from typing import Final

from puad.bounded_file import read_bounded

_KERNEL: Final = Path("/proc/sys/kernel/random/boot_id")
_MOST_BYTES: Final = 64
_FORM: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n?")

_log = logging.getLogger(__name__)


def boot_id(note: Path | None = None, kernel: Path = _KERNEL) -> str:
    """This boot's id.

    Args:
        note: A file that lives for one boot and keeps a name that had to be invented; without
            one, each caller invents its own.
        kernel: Where the kernel says it.
    """
    try:
        return _read(kernel)
    except (OSError, ValueError) as error:
        _log.warning("the boot id cannot be read, so this boot gets a name of its own: %s", error)
    if note is not None:
        with contextlib.suppress(OSError, ValueError):
            return _read(note)
    invented = str(uuid.uuid4())
    if note is not None:
        with contextlib.suppress(OSError):  # without the note each start is another boot
            note.write_text(f"{invented}\n", encoding="ascii")
    return invented


def _read(path: Path) -> str:
    data = read_bounded(path, _MOST_BYTES)
    if not _FORM.fullmatch(data):
        raise ValueError(f"{path} holds no boot id")
    return data.decode("ascii").strip()
