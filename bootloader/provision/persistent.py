# SPDX-License-Identifier: Apache-2.0
"""The persistent partition's first contents: the folders that outlive an update, and their owners.

Everything else there is made by whom it belongs to. The node's own files are optional: its
configuration, its token and the certificate authority of its server.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootloader.provision.refusal import ProvisionError

STANDARD_PASSWD: Final = Path("/etc/passwd")
_MAX_FILE_BYTES: Final = 1 << 20
_PASSWD_FIELDS: Final = 7
_STORE: Final = "var/lib/puad"
# path, owner, mode
_FOLDERS: Final = (
    (_STORE, "puad", 0o751),
    (f"{_STORE}/node.d", "puad", 0o755),
    ("var/lib/puad-health", "puad-health", 0o750),
    ("var/lib/puad-bootloader", "root", 0o700),
    ("var/log/journal", "root", 0o755),
    ("ssh", "root", 0o700),
)


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """Files that this node alone has.

    Attributes:
        config: TOML; /var/lib/puad/node.d/10-node.toml.
        token: Its token at the server; /var/lib/puad/token.
        ca: PEM certificates of the server's authority; /var/lib/puad/ca.crt.
    """

    config: Path | None = None
    token: Path | None = None
    ca: Path | None = None

    def placed(self) -> list[tuple[Path, str, int]]:
        """Every given file, its place and its mode."""
        places = (
            (self.config, f"{_STORE}/node.d/10-node.toml", 0o644),
            (self.token, f"{_STORE}/token", 0o600),
            (self.ca, f"{_STORE}/ca.crt", 0o644),
        )
        return [(path, place, mode) for path, place, mode in places if path]


def check_node_files(files: NodeFiles) -> None:
    """Check that the files are there.

    Raises:
        ProvisionError: Naming the one that cannot be used.
    """
    for path, _, _ in files.placed():
        try:
            size = path.stat().st_size
        except OSError as error:
            raise ProvisionError(f"it cannot be read: {error.strerror}", on=path) from error
        if not path.is_file() or not 0 < size <= _MAX_FILE_BYTES:
            raise ProvisionError(f"it must be a file of 1 to {_MAX_FILE_BYTES} bytes", on=path)


def lay_persistent(tree: Path, files: NodeFiles, passwd: Path) -> None:
    """Make the tree that the persistent partition begins with.

    Args:
        tree: The folder, empty.
        files: The node's own files.
        passwd: Whose numbers the owners get: the image's /etc/passwd.

    Raises:
        ProvisionError: When a file cannot be copied or a user is unknown.
    """
    owners = _owners(passwd)
    for path, user, mode in _FOLDERS:
        (tree / path).mkdir(parents=True)
        _give(tree / path, owners, user, passwd)
        (tree / path).chmod(mode)
    for source, place, mode in files.placed():
        try:
            shutil.copyfile(source, tree / place)
        except OSError as error:
            raise ProvisionError(f"it cannot be copied: {error.strerror}", on=source) from error
        _give(tree / place, owners, "puad", passwd)
        (tree / place).chmod(mode)


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
    os.chown(path, *owners[user])
