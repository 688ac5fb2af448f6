# SPDX-License-Identifier: Apache-2.0
"""Which OS profiles are taken."""

from __future__ import annotations

import pytest

from orchestrator_stub.os_resources.revision import Selection, is_compatible
from puad.core.profile import OSProfile


@pytest.mark.parametrize(
    ("app_version", "revision", "compatible"),
    [
        ("", "", True),
        ("nonsense", "", True),
        ("1.2.3", "1.2.3", True),
        ("1.2.4", "1.2.3", False),
        ("1.2.3", "~1.2.3", True),
        ("1.2.10", "~1.2.3", True),
        ("1.2.2", "~1.2.3", False),
        ("1.3.3", "~1.2.3", False),
        ("2.2.3", "~1.2.3", False),
        ("~1.2.3", "~1.2.3", False),
        ("1.2", "~1.2.3", False),
        ("1.2.3-dev", "~1.2.3", False),
        ("", "~1.2.3", False),
        ("1.2.3", "latest", False),
    ],
)
def test_revision_rule_decides_compatibility(
    app_version: str, revision: str, compatible: bool
) -> None:
    assert is_compatible(app_version, revision) is compatible
    profile = OSProfile("edge 1", "edge", "edge/1", "1", "0" * 64, app_version=app_version)
    assert bool(Selection(revision).objection(profile)) is not compatible


def test_enabled_profiles_are_all_unless_some_are_named() -> None:
    assert Selection().takes("edge")
    some = Selection(enabled_profiles=frozenset({"edge"}))
    assert some.takes("edge")
    assert not some.takes("kiosk")
