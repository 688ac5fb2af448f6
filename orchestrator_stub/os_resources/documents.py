# SPDX-License-Identifier: Apache-2.0
"""The documents of a release: its package manifest and its lists of CVEs (protocol.md §4).

    [{"cve_id": "CVE-2026-1", "priority": "high", "affected_packages": ["openssl"]}]
    {"repo": [{"name": "openssl", "version": "3.0.17"}]}

They are signed, so they come from the publisher; but a page shows them and a database keeps them.
So they are read with bounds, and only what is named here is taken from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

MAX_CVES: Final = 5000
MAX_PACKAGES: Final = 20_000
MAX_AFFECTED: Final = 200
MAX_WORD_CHARS: Final = 200
_PACKAGE_FIELDS: Final = ("name", "version", "architecture", "distribution", "url", "license")


class DocumentError(ValueError):
    """A document that has another form than is agreed."""


def parse_cves(data: bytes) -> list[dict[str, Any]]:
    """A list of CVEs.

    Raises:
        DocumentError: When it is not such a list.
    """
    rows = _load(data)
    if not isinstance(rows, list) or len(rows) > MAX_CVES:
        raise DocumentError(f"it is not a list of at most {MAX_CVES} CVEs")
    return [_cve(row) for row in rows]


def parse_packages(data: bytes) -> str:
    """A package manifest, as compact JSON.

    Raises:
        DocumentError: When it is not a package manifest.
    """
    document = _load(data)
    rows = document.get("repo") if isinstance(document, Mapping) else None
    if not isinstance(rows, list) or len(rows) > MAX_PACKAGES:
        raise DocumentError(f"it has no `repo` of at most {MAX_PACKAGES} packages")
    packages = [_package(row) for row in rows]
    return json.dumps({"repo": packages}, ensure_ascii=False, separators=(",", ":"))


def _cve(row: object) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise DocumentError("a CVE is no object")
    if not row.get("cve_id"):
        raise DocumentError("a CVE has no cve_id")
    affected = [] if row.get("affected_packages") is None else row["affected_packages"]
    if not isinstance(affected, list) or len(affected) > MAX_AFFECTED:
        raise DocumentError(f"a CVE has no list of at most {MAX_AFFECTED} affected packages")
    return {
        "cve_id": _word(row.get("cve_id")),
        "priority": "" if row.get("priority") is None else _word(row["priority"]),
        "affected_packages": [_word(name) for name in affected],
    }


def _package(row: object) -> dict[str, str]:
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
        raise DocumentError("a package has no name")
    return {field: _word(row[field]) for field in _PACKAGE_FIELDS if row.get(field)}


def _word(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_WORD_CHARS or not value.isprintable():
        raise DocumentError(f"a value is not a text of at most {MAX_WORD_CHARS} characters")
    return value


def _load(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError("it is not JSON that can be read") from error
