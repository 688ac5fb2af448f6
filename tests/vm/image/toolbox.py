# SPDX-License-Identifier: Apache-2.0
"""Toolbox: a program of Debian 13 run on the host's files, in mounts of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.demo.layout import REPOSITORY
from tests.demo.tool import run_tool
from tests.vm.image.layout import LOG, filling_cache
from tests.vm.image.roots import TOOLBOX, make_root

_LIMIT_S = 600
# The root is the toolbox; the given folders, this checkout and /dev are where the host has them.
_ENTER = """
root=$1; shift
mount --bind "$root" "$root"; cd "$root"
mount -t proc proc proc; mount -t sysfs -o ro sysfs sys; mount --rbind /dev dev
mount -t tmpfs tmpfs tmp; mount -t tmpfs tmpfs run
while [ "$1" != -- ]; do mkdir -p ".$1"; mount --bind "$1" ".$1"; shift; done; shift
exec chroot . "$@"
"""


def in_toolbox(
    command: Sequence[str | Path], folders: Sequence[Path], env: Mapping[str, str] | None = None
) -> str:
    """Run a program of the toolbox and give its standard output.

    Args:
        command: The program and its arguments.
        folders: Folders of the host that it sees, under their own names.
        env: Variables beside the usual ones.

    Raises:
        ToolError: When it fails.
    """
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _ENTER, "sh"]
    binds = [folder.resolve() for folder in folders]
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
    with filling_cache():
        root = make_root(TOOLBOX)
    return run_tool(
        [*enter, root, REPOSITORY, *binds, "--", *command], LOG, timeout_s=_LIMIT_S, env=variables
    )
