# SPDX-License-Identifier: Apache-2.0
"""`refresh`, and the release service that `serve` reads as well."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator_stub.arguments import Parser
from orchestrator_stub.commands.command import Verbs, add_verb, open_database, tell
from orchestrator_stub.data_directory import DataDirectory
from orchestrator_stub.database import Database
from orchestrator_stub.errors import Code, OrchestratorError, SettingsError
from orchestrator_stub.os_resources.manager import ResourceManager
from orchestrator_stub.os_resources.revision import Selection, is_revision
from orchestrator_stub.os_resources.taking import Refresh
from orchestrator_stub.release_fetcher import is_safe
from orchestrator_stub.release_service import ReleaseService
from orchestrator_stub.settings import ReleaseSettings


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """Where the release service is, as the command line says it; empty means: as configured."""

    folder: Path | None = None
    url: str = ""
    root: Path | None = None
    ca_file: str = ""
    period_s: int = 0

    def check(self, configured_root: str) -> None:
        """Refuse options that do not fit together.

        Raises:
            OrchestratorError: `INVALID_ARGUMENT`, naming the options.
        """
        if self.folder is not None and self.url:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT, "--release-dir and --release-url exclude each other"
            )
        option = "--release-dir" if self.folder is not None else "--release-url" * bool(self.url)
        if option and self.root is None and not configured_root:
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"{option} needs --release-root",
                hint="It is the 1.root.json that `puad-release init` has made.",
            )
        if self.url and not is_safe(self.url):
            raise OrchestratorError(
                Code.INVALID_ARGUMENT,
                f"--release-url {self.url} is not https://, nor http:// to the loopback address",
            )


def add_to(verbs: Verbs) -> None:
    """Add the verb."""
    verb = add_verb(verbs, "refresh", "look for new OS profiles now")
    add_options(verb)
    verb.set_defaults(command=_refresh)


def add_options(verb: Parser) -> None:
    """Take where the release service is."""
    add = verb.add_argument
    add("--release-dir", type=Path, metavar="DIR", help="folder of the release service's files")
    add("--release-url", metavar="URL", default="", help="the release service's address")
    text = "its root of trust, 1.root.json"
    add("--release-root", type=Path, metavar="FILE", help=text)
    add("--release-ca", metavar="FILE", default="", help="CA of its certificate, PEM")


def options_of(arguments: argparse.Namespace) -> ReleaseOptions:
    """What the command line says of the release service."""
    return ReleaseOptions(
        folder=arguments.release_dir,
        url=arguments.release_url,
        root=arguments.release_root,
        ca_file=arguments.release_ca,
        period_s=getattr(arguments, "refresh_period", 0),
    )


def refresh(directory: DataDirectory, options: ReleaseOptions) -> dict[str, Any]:
    """Look for new OS profiles once."""
    with open_database(directory) as database:
        manager = resource_manager(directory, database, options)
        if manager is None:
            raise SettingsError(
                "no release service is configured",
                hint="Give --release-dir or --release-url, and --release-root.",
            )
        result: Refresh = manager.refresh()
    return asdict(result)


def resource_manager(
    directory: DataDirectory, database: Database, options: ReleaseOptions
) -> ResourceManager | None:
    """What reads the release service; None when there is none."""
    release = directory.settings().release
    options.check(release.root)
    url = options.folder.absolute().as_uri() if options.folder else options.url or release.url
    root = options.root or (Path(release.root) if release.root else None)
    if not url:
        return None
    if root is None:
        raise SettingsError(
            f"nothing vouches for the release service at {url}",
            hint="Give its root.json with --release-root.",
        )
    if not is_safe(url):
        raise SettingsError(
            f"release.url {url} is not https://, file:///, nor http:// to the loopback address"
        )
    service = ReleaseService(
        url=url,
        trust_root=root,
        cache=directory.tuf_cache,
        ca_file=options.ca_file or release.ca_file,
    )
    period_s = options.period_s or release.refresh_period_s
    return ResourceManager(database, service, _selection(release), period_s)


def _selection(release: ReleaseSettings) -> Selection:
    if not is_revision(release.revision):
        raise SettingsError(
            f"release.revision {release.revision!r} is no revision",
            hint="Write 1.2.3 for that version alone, ~1.2.3 for each 1.2.x from it on.",
        )
    return Selection(release.revision, frozenset(release.enabled_profiles))


def _refresh(arguments: argparse.Namespace, directory: DataDirectory) -> int:
    facts = refresh(directory, options_of(arguments))
    tell(
        arguments,
        facts,
        f"{len(facts['created'])} new, {facts['known']} known, "
        f"{len(facts['withdrawn'])} withdrawn, {len(facts['refused'])} refused.",
        *(f"  new        {label}" for label in facts["created"]),
        *(f"  withdrawn  {label}" for label in facts["withdrawn"]),
        *(f"  refused    {label}" for label in facts["refused"]),
    )
    return 0
