# SPDX-License-Identifier: Apache-2.0
"""Lists of CVEs and packages: only what is agreed is taken, within bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_stub.os_resources.documents import (
    MAX_AFFECTED,
    MAX_CVES,
    MAX_PACKAGES,
    MAX_WORD_CHARS,
    DocumentError,
    parse_cves,
    parse_packages,
)

CVE = {"cve_id": "CVE-2026-1", "priority": "high", "affected_packages": ["openssl", "curl"]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_cves_are_taken_without_what_is_not_agreed() -> None:
    extra = {**CVE, "url": "https://example.org"}
    bare = {"cve_id": "CVE-2026-2"}
    assert parse_cves(json.dumps([extra, bare]).encode()) == [
        CVE,
        {"cve_id": "CVE-2026-2", "priority": "", "affected_packages": []},
    ]
    assert parse_cves(b"[]") == []


def test_packages_are_taken_compactly() -> None:
    rows = [{"name": "curl", "version": "8", "size": 12, "license": "MIT"}, {"name": "vim"}]
    document = json.loads(parse_packages(json.dumps({"repo": rows, "more": 1}).encode()))
    assert document == {
        "repo": [{"name": "curl", "version": "8", "license": "MIT"}, {"name": "vim"}]
    }


@pytest.mark.parametrize(
    "value",
    [
        {},
        "x",
        None,
        [None],
        [{}],
        [{**CVE, "cve_id": ""}],
        [{**CVE, "cve_id": 7}],
        [{**CVE, "cve_id": "a\nb"}],
        [{**CVE, "cve_id": "x" * (MAX_WORD_CHARS + 1)}],
        [{**CVE, "priority": []}],
        [{**CVE, "affected_packages": "openssl"}],
        [{**CVE, "affected_packages": [1]}],
        [{**CVE, "affected_packages": ["x"] * (MAX_AFFECTED + 1)}],
        [{"cve_id": "x"}] * (MAX_CVES + 1),
    ],
)
def test_what_is_no_list_of_cves_is_refused(value: Any) -> None:
    with pytest.raises(DocumentError):
        parse_cves(json.dumps(value).encode())


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"repo": {}},
        {"repo": [None]},
        {"repo": [{}]},
        {"repo": [{"name": "a\x00"}]},
        {"repo": [{"name": "a", "version": 3}]},
        {"repo": [{"name": "x"}] * (MAX_PACKAGES + 1)},
    ],
)
def test_what_is_no_package_manifest_is_refused(value: Any) -> None:
    with pytest.raises(DocumentError):
        parse_packages(json.dumps(value).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    for parse in (parse_cves, parse_packages):
        with pytest.raises(DocumentError):
            parse(data)


@given(JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    for parse in (parse_cves, parse_packages):
        try:
            json.dumps(parse(json.dumps(value).encode()))
        except DocumentError:
            continue
