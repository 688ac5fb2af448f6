# SPDX-License-Identifier: Apache-2.0
"""The report of `puad-release status`: roles, keys and releases, as values and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from orchestrator_stub.release.keys import KeyFolder
from orchestrator_stub.release.publication import Session
from orchestrator_stub.release.release import Release
from orchestrator_stub.release.repository import Published
from orchestrator_stub.release.roles import Role, is_near
from orchestrator_stub.release.size import size_text
from orchestrator_stub.release.staging import StagedRelease
from orchestrator_stub.release.state import State
from puad.core.version import version_key

_COLUMNS: Final = 79
_KEY_DIGITS: Final = 16
# A publication renews at half of the validity, so at a quarter somebody forgot to publish.
_WARN_PART: Final = 4


class Freshness(StrEnum):
    """How long metadata still hold."""

    GOOD = "good"
    NEAR = "near"
    EXPIRED = "expired"


def describe_repository(
    published: Published,
    state: State,
    staged: Iterable[StagedRelease],
    keys: KeyFolder | None,
    now: datetime,
) -> dict[str, Any]:
    """The status of a repository, as `--json` prints it."""
    return {
        "repository": str(published.layout.folder),
        "root_json": str(published.layout.root(published.root.version)),
        "roles": [_role(role, published, state, keys, now) for role in Role],
        "releases": _describe_releases(published.releases),
        "staged": _describe_releases(one.release for one in staged),
        "withdrawn": [
            {"profile": w.profile, "version": w.version, "reason": w.reason, "at": w.at}
            for w in published.catalogue.withdrawn
        ],
    }


def _describe_releases(releases: Iterable[Release]) -> list[dict[str, Any]]:
    in_order = sorted(releases, key=lambda one: (one.key[0], version_key(one.key[1]), one.key[1]))
    return [describe_release(release) for release in in_order]


def describe_release(release: Release) -> dict[str, Any]:
    """A release, as `--json` prints it."""
    manifest = release.manifest
    return {
        "profile": manifest.profile,
        "version": manifest.version,
        "path": release.image.path,
        "format": manifest.format,
        "file_size": release.image.size,
        "file_hash": release.image.sha256,
        "image_size": manifest.image_size,
        "image_hash": manifest.image_hash,
        "built_at": moment(manifest.built_at),
        "min_version": manifest.min_version,
        "root_partuuid": manifest.root_partuuid,
        "disk": manifest.disk.dump() if manifest.disk else None,
        "boot_files": [file.kind.value for file in manifest.boot_files],
        "deltas": _describe_deltas(release),
    }


def _describe_deltas(release: Release) -> list[dict[str, Any]]:
    sizes = {file.path: file.size for file in release.files}
    return [
        {
            "from_version": delta.from_version,
            "size": sum(sizes.get(path, 0) for path in (delta.path, delta.index)),
        }
        for delta in release.manifest.deltas
    ]


def warnings(session: Session, renewed: Mapping[Role, datetime]) -> Iterator[str]:
    """One sentence for each role that expires soon although it was just published."""
    validity, now = session.state.validity, session.publisher.now
    for role in Role:
        expires = renewed.get(role, session.published.signed[role].expires)
        freshness = _freshness(expires, validity[role], now)
        if freshness is not Freshness.GOOD:
            yield _warning(role, freshness)


def moment(time: datetime) -> str:
    """A time as every document of a repository writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def render_report(report: Mapping[str, Any]) -> str:
    """The status as text of at most 79 columns."""
    return "\n".join(_lines(report))


def warning_lines(warning: str, indent: str = "") -> list[str]:
    """A warning as lines of text."""
    return textwrap.wrap(
        f"WARNING: {warning}",
        _COLUMNS,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    )


def _role(
    role: Role, published: Published, state: State, keys: KeyFolder | None, now: datetime
) -> dict[str, Any]:
    signed = published.signed[role]
    entry = published.root.roles[role]
    return {
        "role": role.value,
        "version": signed.version,
        "expires": moment(signed.expires),
        "freshness": _freshness(signed.expires, state.validity[role], now).value,
        "threshold": entry.threshold,
        "keys": [
            {"id": key_id, "present": keys.has(role, key_id) if keys else None}
            for key_id in entry.keyids
        ],
    }


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"Repository {report['repository']}"
    yield f"Root of trust {report['root_json']}"
    yield ""
    yield f"{'ROLE':<10} {'VERSION':>7}  {'EXPIRES':<21} KEYS"
    for role in report["roles"]:
        yield from _role_lines(role)
    yield ""
    yield from _table("Published", report["releases"])
    yield from _table("Staged, waiting for `publish`", report["staged"])
    yield "Withdrawn:" if report["withdrawn"] else "Withdrawn: none"
    for withdrawal in report["withdrawn"]:
        text = f"{withdrawal['profile']} {withdrawal['version']} at {withdrawal['at']}: "
        yield from textwrap.wrap(
            text + withdrawal["reason"],
            _COLUMNS,
            initial_indent="  ",
            subsequent_indent="    ",
        )


def _role_lines(role: Mapping[str, Any]) -> Iterator[str]:
    count = f"{role['threshold']} of {len(role['keys'])} must sign"
    yield f"{role['role']:<10} {role['version']:>7}  {role['expires']:<21} {count}"
    for key in role["keys"]:
        place = {True: "here", False: "not here", None: ""}[key["present"]]
        yield f"{'':<42}{key['id'][:_KEY_DIGITS]} {place}".rstrip()
    if role["freshness"] != Freshness.GOOD:
        warning = _warning(Role(role["role"]), Freshness(role["freshness"]))
        yield from warning_lines(warning, " " * 11)


def _freshness(expires: datetime, validity: timedelta, now: datetime) -> Freshness:
    if expires <= now:
        return Freshness.EXPIRED
    near = is_near(expires, validity, now, part=_WARN_PART)
    return Freshness.NEAR if near else Freshness.GOOD


def _warning(role: Role, freshness: Freshness) -> str:
    what = "has expired" if freshness is Freshness.EXPIRED else "expires soon"
    return f"{role} {what}; run `puad-release publish` with its keys"


def _table(title: str, releases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows = list(releases)
    yield f"{title}:" if rows else f"{title}: none"
    for row in rows:
        sizes = f"{size_text(row['file_size'])} for {size_text(row['image_size'])}"
        line = f"{row['profile']} {row['version']}  {row['format']}  {sizes}"
        yield from textwrap.wrap(line, _COLUMNS, initial_indent="  ", subsequent_indent="    ")
    yield ""
