# SPDX-License-Identifier: Apache-2.0
"""The node's own files: its configuration, its token and its server's authority; all optional.

They are looked at before anything is written: a node whose token cannot be sent or whose
configuration is refused would be found out on its site only.
"""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bootloader.provision.refusal import ProvisionError

STORE: Final = "var/lib/puad"
# What puad takes from /var/lib/puad/node.d; puad.toml(5).
NODE_SECTIONS: Final = ("server", "release", "node")
_MAX_FILE_BYTES: Final = 1 << 20
_TOKEN: Final = re.compile(r"[!-~]+\n?")


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
            (self.config, f"{STORE}/node.d/10-node.toml", 0o644),
            (self.token, f"{STORE}/token", 0o600),
            (self.ca, f"{STORE}/ca.crt", 0o644),
        )
        return [(path, place, mode) for path, place, mode in places if path]


def check_node_files(files: NodeFiles) -> None:
    """Check that each file is there and is what the node can use.

    Raises:
        ProvisionError: Naming the one that cannot be used.
    """
    for kind, check in _CHECKS.items():
        path: Path | None = getattr(files, kind)
        if path:
            check(path, _read(path))


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file() or not 0 < size <= _MAX_FILE_BYTES:
            raise ProvisionError(f"it must be a file of 1 to {_MAX_FILE_BYTES} bytes", on=path)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProvisionError(f"it cannot be read: {error.strerror}", on=path) from error
    except UnicodeDecodeError as error:
        raise ProvisionError("it is not text", on=path) from error


def _check_config(path: Path, text: str) -> None:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProvisionError(f"this is not TOML: {error}", on=path) from error
    known = ", ".join(f"[{name}]" for name in NODE_SECTIONS)
    for name, value in document.items():
        if name not in NODE_SECTIONS or not isinstance(value, dict):
            what = f"[{name}]" if isinstance(value, dict) else f"the key {name}"
            raise ProvisionError(
                f"a node's own configuration may not have {what}",
                on=path,
                hint=f"it may have {known}; the rest belongs to the image",
            )


def _check_token(path: Path, text: str) -> None:
    if not _TOKEN.fullmatch(text):
        raise ProvisionError(
            "it must hold one token, a word of printable ASCII, and nothing else",
            on=path,
            hint="give the token alone, without `Authorization:` or `Bearer`, in one line",
        )


def _check_ca(path: Path, text: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise ProvisionError(
            f"it holds no certificate that can be used: {error}",
            on=path,
            hint="give the certificates of the server's authority as PEM",
        ) from error


_CHECKS: Final[Mapping[str, Callable[[Path, str], None]]] = MappingProxyType(
    {"config": _check_config, "token": _check_token, "ca": _check_ca}
)
