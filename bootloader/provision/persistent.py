# SPDX-License-Identifier: Apache-2.0
"""The persistent partition's first contents: the folders that outlive an update, and their owners.

Everything else there is made by whom it belongs to.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from bootloader.config import General
from bootloader.provision.node_files import STORE, NodeFiles
from bootloader.provision.refusal import ProvisionError

STANDARD_PASSWD: Final = Path("/etc/passwd")
_PASSWD_FIELDS: Final = 7


def lay_persistent(tree: Path, files: NodeFiles, passwd: Path, general: General) -> None:
    """Make the tree that the persistent partition begins with.

    Args:
        tree: The folder, empty.
        files: The node's own files.
        passwd: Whose numbers the owners get: the image's /etc/passwd.
        general: Boot control's configuration; it names the users and its own folder.

    Raises:
        ProvisionError: When a file cannot be copied or a user is unknown.
    """
    owners = _owners(passwd)
    for path, user, mode in _folders(general):
        (tree / path).mkdir(parents=True)
        _give(tree / path, owners, user, passwd)
        (tree / path).chmod(mode)
    for source, place, mode in files.placed():
        try:
            shutil.copyfile(source, tree / place)
        except OSError as error:
            raise ProvisionError(f"it cannot be copied: {error.strerror}", on=source) from error
        _give(tree / place, owners, general.user, passwd)
        (tree / place).chmod(mode)


def _folders(general: General) -> tuple[tuple[str, str, int], ...]:
    """Path, owner and mode."""
    return (
        (STORE, general.user, 0o751),
        (f"{STORE}/node.d", general.user, 0o755),
        ("var/lib/puad-health", general.health_user, 0o750),
        (str(general.state.relative_to("/")), "root", 0o700),
        ("var/log/journal", "root", 0o755),
        ("ssh", "root", 0o700),
    )


def _owners(passwd: Path) -> dict[str, tuple[int, int]]:
    try:
        lines = passwd.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionError(f"the users cannot be read: {error}", on=passwd) from error
    fields = [line.split(":") for line in lines]
    users = [found for found in fields if len(found) == _PASSWD_FIELDS]
    return {user[0]: (int(user[2]), int(user[3])) for user in users}


def _give(path: Path, owners: dict[str, tuple[int, int]], user: str, passwd: Path) -> None:
    if user not in owners:
        raise ProvisionError(
            f"there is no user {user}",
            on=passwd,
            hint="install the package puad in the image, or give the image's file with --passwd",
        )
    try:
        os.chown(path, *owners[user])
    except OSError as error:
        raise ProvisionError(
            f"it cannot be given to the user {user}: {error.strerror}",
            on=path,
            hint="run puad-provision as root",
            code=os.EX_NOPERM,
        ) from error
