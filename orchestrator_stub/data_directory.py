# SPDX-License-Identifier: Apache-2.0
"""The data directory: the orchestrator's database, secrets and configuration.

    orchestrator.toml   what the operator may set; every key is optional
    orchestrator.db     the database, unless `database_url` names another one
    secret.key          signs node tokens, 0600
    api.token           what an operator's client presents, 0600
    tuf/                cache of the release service's metadata

The configuration::

    database_url = "sqlite:////var/lib/puad-orchestrator/orchestrator.db"
    [release]
    url = "https://releases.example.org/"     # or a folder, file:///srv/releases/
    root = "/etc/puad-orchestrator/root.json" # the release service's root of trust
    ca_file = ""                              # CA of its certificate; empty: the system's
    refresh_period_s = 43200                  # how often OS profiles are looked for
    revision = "~1.2.3"                       # take only profiles of app version 1.2.x, x >= 3
"""

from __future__ import annotations

import difflib
import os
import secrets
import stat
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from orchestrator_stub.errors import Code, OrchestratorError, SettingsError

STANDARD: Final = Path("/var/lib/puad-orchestrator")
USER: Final = "puad-orchestrator"
"""Whom the packages make for the service; all that it reads must be its own."""
_MAX_CONFIG_BYTES: Final = 64 << 10
_MIN_SECRET_CHARS: Final = 32
_TEMPLATE: Final = """\
# Configuration of the puad orchestrator; every key is optional.
# database_url = "sqlite:////var/lib/puad-orchestrator/orchestrator.db"

[release]
# url = "https://releases.example.org/"
# root = "/etc/puad-orchestrator/root.json"
# ca_file = ""
# refresh_period_s = 43200
# revision = ""
"""


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """Where the release service is, what vouches for it, and how often it is asked."""

    url: str = ""
    root: str = ""
    ca_file: str = ""
    refresh_period_s: int = 12 * 3600
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration file, merged with the defaults."""

    database_url: str = ""
    release: ReleaseSettings = field(default_factory=ReleaseSettings)


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """One orchestrator's data directory."""

    path: Path

    def create(self) -> None:
        """Make the directory with fresh secrets.

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
            _write_new(self._config_path, _TEMPLATE, 0o640)
            _write_new(self._token_path, secrets.token_urlsafe(32) + "\n", 0o600)
            # last, because it marks the directory as complete
            _write_new(self._secret_path, secrets.token_hex(32) + "\n", 0o600)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be made: {error.strerror}", hint=_hint(error)
            ) from error

    def secret_key(self) -> str:
        """The key that signs node tokens."""
        return _read_secret(self._secret_path)

    def api_token(self) -> str:
        """The token that an operator's client presents."""
        return _read_secret(self._token_path)

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
                f"{self._config_path} cannot be read: {_reason(error)}", hint=_hint(error)
            ) from error
        values = self._checked(Settings, document, "")
        values["release"] = ReleaseSettings(
            **self._checked(ReleaseSettings, document.get("release", {}), "release.")
        )
        values["database_url"] = values.get("database_url") or self._standard_url
        return Settings(**values)

    @property
    def tuf_cache(self) -> Path:
        """Where the release service's metadata are kept."""
        return self.path / "tuf"

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

    def _checked(self, form: type[Any], document: object, prefix: str) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise SettingsError(f"{prefix.rstrip('.')} is not a table ({self._config_path})")
        known = {item.name: item.default for item in fields(form)}
        for key, value in document.items():
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                raise SettingsError(
                    f"there is no key {prefix}{key} ({self._config_path})",
                    hint=f"Did you mean {prefix}{close[0]}?" if close else "",
                )
            default = known[key]
            if isinstance(default, str | int) and type(value) is not type(default):
                wanted = "a text" if isinstance(default, str) else "a whole number"
                raise SettingsError(f"{prefix}{key} is not {wanted} ({self._config_path})")
        period_s = document.get("refresh_period_s", 1)
        if period_s < 1:
            raise SettingsError(f"{prefix}refresh_period_s is not positive ({self._config_path})")
        return dict(document)


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or ""
    return "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)


def _hint(error: Exception) -> str:
    """What to do for somebody to whom the directory does not belong."""
    return f"Run it as the user {USER}." if isinstance(error, PermissionError) else ""


def _read_secret(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read(4096).strip()
    except (OSError, ValueError) as error:
        hint = _hint(error) or "Make the data directory with `init`."
        raise SettingsError(f"{path} cannot be read: {_reason(error)}", hint=hint) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"others than its owner may use {path}", hint=f"Run: chmod 0600 {path}")
    if len(secret) < _MIN_SECRET_CHARS:
        raise SettingsError(f"{path} does not hold a secret", hint="Make a new data directory.")
    return secret
