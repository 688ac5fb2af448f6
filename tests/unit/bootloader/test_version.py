# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootloader.version import compare_versions
from puad.core import version

VERSIONS = st.text("0123456789abYZ.~^-_+", max_size=12)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("13.0", "13.1"),
        ("13.9", "13.10"),
        ("13.0~rc1", "13.0"),
        ("3.0.20250717.0732", "3.0.20250717.1000"),
        ("1", "9" * 5000),
    ],
)
def test_compare_orders_versions(older: str, newer: str) -> None:
    assert compare_versions(older, newer) == -1
    assert compare_versions(newer, older) == 1
    assert compare_versions(older, older) == 0


@given(VERSIONS, VERSIONS)
def test_compare_agrees_with_the_order_of_puad(a: str, b: str) -> None:
    assert compare_versions(a, b) == version.compare_versions(a, b)
