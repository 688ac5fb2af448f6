# SPDX-License-Identifier: Apache-2.0
"""The keys folder: private Ed25519 keys in files, one each, for the owner's eyes only.

Rules:

1. A key file is PEM (PKCS #8), mode 0600, made with O_EXCL; one that others may read or write is
   refused, because it must be taken for stolen.
2. The folder never lies inside what is served.
3. A file is named `<role>-<first 16 digits of the key id>.pem`: which keys are present is known
   without opening one. The key's own public half must then have that id.
4. Beside them lies `root.json`, the first root of the repository: the publisher trusts the served
   folder only as far as that root vouches for it, as a node does.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from orchestrator_stub.release.disk import translated
from orchestrator_stub.release.errors import KeyAccessError
from orchestrator_stub.release.roles import Role
from orchestrator_stub.whole_file import sync_folder

_OTHERS: Final = 0o077
_NAME_DIGITS: Final = 16
_MAX_KEY_FILE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """Where the private keys lie.

    Attributes:
        folder: The folder.
        passphrase: What locks the key files; None when they are not locked.
    """

    folder: Path
    passphrase: bytes | None = None

    @property
    def anchor(self) -> Path:
        """The first root, which every later one must be derived from."""
        return self.folder / "root.json"

    def file_of(self, role: Role, key_id: str) -> Path:
        """Where the key of that id lies."""
        return self.folder / f"{role}-{key_id[:_NAME_DIGITS]}.pem"

    def has(self, role: Role, key_id: str) -> bool:
        """Whether the key of that id is here."""
        return self.file_of(role, key_id).exists()

    def require(self) -> None:
        """Refuse a folder that is not there.

        Raises:
            KeyAccessError: When it is not.
        """
        if not self.folder.is_dir():
            raise KeyAccessError(
                "there is no keys folder here",
                on=str(self.folder),
                hint="Name the right folder with --keys.",
            )

    def make(self, role: Role) -> CryptoSigner:
        """Generate a key and keep it.

        Raises:
            KeyAccessError: When the folder is open to others.
            WriteError: When the key cannot be written.
        """
        self._prepare()
        private = Ed25519PrivateKey.generate()
        signer = CryptoSigner(private)
        lock = BestAvailableEncryption(self.passphrase) if self.passphrase else NoEncryption()
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        path = self.file_of(role, signer.public_key.keyid)
        with translated(path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self.folder)
        return signer

    def signer(self, role: Role, key_id: str) -> CryptoSigner:
        """The key of that id, ready to sign.

        Raises:
            KeyAccessError: When it is absent, open to others, locked, or another key.
        """
        path = self.file_of(role, key_id)
        private = self._unlock(path, read_private(path))
        signer = CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))
        if signer.public_key.keyid != key_id:
            raise KeyAccessError(
                "this file holds another key than its name says",
                on=str(path),
                hint="Bring the right key file back from its copy.",
            )
        return signer

    def _unlock(self, path: Path, pem: bytes) -> Ed25519PrivateKey:
        try:
            private = load_pem_private_key(pem, self.passphrase)
        except TypeError as error:
            raise KeyAccessError(
                "the key is locked" if self.passphrase is None else "the key is not locked",
                on=str(path),
                hint="Give --passphrase-file for locked keys, and only for those.",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyAccessError(
                "the key cannot be read: a wrong passphrase or a damaged file",
                on=str(path),
                hint="Check --passphrase-file, or bring the key file back from its copy.",
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyAccessError("this is not an Ed25519 key", on=str(path))
        return private

    def _prepare(self) -> None:
        with translated(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = self.folder.stat().st_mode
        if mode & _OTHERS & ~(stat.S_IXGRP | stat.S_IXOTH):
            raise KeyAccessError(
                "the keys folder is open to other users",
                on=str(self.folder),
                hint=f"Run `chmod 700 {self.folder}`.",
            )


def read_private(
    path: Path, hint: str = "Bring the file here, or name the right folder with --keys."
) -> bytes:
    """The content of a file that holds a secret.

    Args:
        path: The file.
        hint: What to do when it cannot be opened.

    Raises:
        KeyAccessError: When it is absent, not a plain file, too large, or open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise KeyAccessError(
            f"the secret cannot be read: {error.strerror}",
            on=str(path),
            hint=hint,
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_KEY_FILE_BYTES:
            raise KeyAccessError("this is not a key file", on=str(path))
        if stat.S_IMODE(status.st_mode) & _OTHERS:
            raise KeyAccessError(
                "the secret is open to other users",
                on=str(path),
                hint=f"If nobody can have read it, run `chmod 600 {path}`; else rotate the role.",
            )
        return os.read(descriptor, _MAX_KEY_FILE_BYTES)
    finally:
        os.close(descriptor)
