# SPDX-License-Identifier: Apache-2.0
"""The data directory: the orchestrator's database, secrets and configuration.

    orchestrator.toml   what the operator may set; every key is optional; 0600
    orchestrator.db     the database, 0600, unless `database_url` names another one
    secret.key          signs node tokens, 0600
    api.token           opens every project, 0600
    metrics.token       opens /metrics to other machines, 0600; somebody has to make it
    tls/                its CA and its server's certificate (`orchestrator_stub.tls.certificates`)
    tuf/                cache of the release service's metadata

The configuration::

    database_url = "sqlite:////var/lib/puad-orchestrator/orchestrator.db"
    [release]
    url = "https://releases.example.org/"     # or a folder, file:///srv/releases/
    root = "/etc/puad-orchestrator/root.json" # the release service's root of trust
    ca_file = ""                              # CA of its certificate; empty: the system's
    refresh_period_s = 43200                  # how often OS profiles are looked for
    revision = "~1.2.3"                       # take only profiles of app version 1.2.x, x >= 3
    enabled_profiles = ["edge"]               # take only these OS profiles; without it, all
    [maintenance]
    silence_s = 3600                          # after STARTED; then its node did not come back
    retention_s = 2592000                     # how long update runs are kept, 30 days
    sweep_period_s = 10                       # how often runs and rollouts are looked after
    [tls]
    names = ["orchestrator.example.org"]      # what the server's certificate vouches for
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator_stub import settings
from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.settings import Settings

STANDARD: Final = Path("/var/lib/puad-orchestrator")
USER: Final = "puad-orchestrator"
"""Whom the packages make for the service; all that it reads must be its own."""
_MAX_CONFIG_BYTES: Final = 64 << 10
_MIN_SECRET_CHARS: Final = 32
_TEMPLATE: Final = """\
# Configuration of the puad orchestrator; every key is optional.
{mark}database_url = {url}

[release]
# url = "https://releases.example.org/"
# root = "/etc/puad-orchestrator/root.json"
# ca_file = ""
# refresh_period_s = 43200
# revision = ""
# enabled_profiles = []

[maintenance]
# silence_s = 3600
# retention_s = 2592000

[tls]
names = {names}
"""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """One orchestrator's data directory."""

    path: Path

    def create(self, names: Sequence[str] = (), database_url: str = "") -> None:
        """Make the directory with fresh secrets.

        Args:
            names: What the server's certificate is to vouch for.
            database_url: The database, when it is not to lie in here.

        Raises:
            OrchestratorError: `ALREADY_EXISTS`, when an orchestrator lives there already.
        """
        try:
            if self._secret_path.exists():
                raise OrchestratorError(
                    Code.ALREADY_EXISTS,
                    f"{self.path} belongs to an orchestrator already",
                    hint="Choose another --data-dir; nothing was changed.",
                )
            self.path.mkdir(parents=True, exist_ok=True, mode=0o750)
            config = _TEMPLATE.format(  # TOML writes texts and lists as JSON does
                mark="" if database_url else "# ",
                url=json.dumps(database_url or self._standard_url),
                names=json.dumps(list(names)),
            )
            _write_new(self._config_path, config, 0o600)
            _write_new(self._token_path, secrets.token_urlsafe(32) + "\n", 0o600)
            # last, because it marks the directory as complete
            _write_new(self._secret_path, secrets.token_hex(32) + "\n", 0o600)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be made: {error.strerror}",
                hint=hint_for(error) or "Choose another --data-dir.",
            ) from error

    def secret_key(self) -> str:
        """The key that signs node tokens."""
        return _read_secret(self._secret_path)

    def api_token(self) -> str:
        """The token that opens every project."""
        return _read_secret(self._token_path)

    def metrics_token(self) -> str:
        """What a reader of the metrics presents; empty when only the loopback address may."""
        path = self.path / "metrics.token"
        return _read_secret(path) if path.exists() else ""

    def settings(self) -> Settings:
        """The configuration.

        Raises:
            SettingsError: When the file is not TOML, or a key is unknown or has a wrong type.
        """
        try:
            data = self._config_path.read_bytes()[: _MAX_CONFIG_BYTES + 1]
            if len(data) > _MAX_CONFIG_BYTES:
                raise SettingsError(f"{self._config_path} is too large")
            document = tomllib.loads(data.decode())
        except FileNotFoundError:
            document = {}
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{self._config_path} cannot be read: {_reason(error)}", hint=hint_for(error)
            ) from error
        try:
            found = settings.parse(document)
        except SettingsError as error:
            raise SettingsError(f"{error.what} ({self._config_path})", hint=error.hint) from error
        return replace(found, database_url=found.database_url or self._standard_url)

    @property
    def tuf_cache(self) -> Path:
        """Where the release service's metadata are kept."""
        return self.path / "tuf"

    @property
    def tls_folder(self) -> Path:
        """Where the CA and the server's certificate are."""
        return self.path / "tls"

    @property
    def _config_path(self) -> Path:
        return self.path / "orchestrator.toml"

    @property
    def _secret_path(self) -> Path:
        return self.path / "secret.key"

    @property
    def _token_path(self) -> Path:
        return self.path / "api.token"

    @property
    def _standard_url(self) -> str:
        return f"sqlite:///{self.path.absolute() / 'orchestrator.db'}"


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def hint_for(error: Exception) -> str:
    """What to do for somebody to whom the directory does not belong."""
    if not isinstance(error, PermissionError) or not error.filename:
        return ""
    path = Path(error.filename).absolute()
    owner = USER if path.is_relative_to(STANDARD) else _owner(path)
    return f"Run it as the user {owner}." if owner else ""


def _owner(path: Path) -> str:
    """Whose a file is, or the folder that keeps us from looking at it; empty when it is ours."""
    for one in (path, *path.parents):
        try:
            uid = one.stat().st_uid
        except OSError:
            continue
        return "" if uid == os.geteuid() else _user_name(uid)
    return ""


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or ""
    return "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)


def _read_secret(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read(4096).strip()
    except (OSError, ValueError) as error:
        hint = hint_for(error) or "Make the data directory with `init`."
        raise SettingsError(f"{path} cannot be read: {_reason(error)}", hint=hint) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"others than its owner may use {path}", hint=f"Run: chmod 0600 {path}")
    if len(secret) < _MIN_SECRET_CHARS:
        raise SettingsError(f"{path} does not hold a secret", hint="Make a new data directory.")
    return secret
