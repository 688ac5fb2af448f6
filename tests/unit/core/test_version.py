# SPDX-License-Identifier: Apache-2.0
"""The version order, against its specification, its history of mistakes and its own algebra."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.version import compare_versions, newest, version_key

# Each row rises from left to right.
ASCENDING = [
    # the specification's own example
    ("~", "", "-", "^", ".", "A", "a", "0"),
    (
        "122.1",
        "123~rc1-1",
        "123",
        "123-a",
        "123-a.1",
        "123-1",
        "123-1.1",
        "123^post1",
        "123.a-1",
        "123.1-1",
        "123a-1",
        "124-1",
    ),
    # upstream's order takes the build of 07:32 for the newer one (protocol.md §3a)
    ("3.0.20250717.0732", "3.0.20250717.1000", "3.0.20250718.0001"),
    ("9", "10", "99", "100"),
    ("1.0~~", "1.0~", "1.0~rc1", "1.0~rc2", "1.0~rc10", "1.0", "1.0-1", "1.0^1", "1.0.0", "1.1"),
    ("1.B", "1.a", "1.b", "1.ba", "1.1"),
    ("13.1", "13.1.1", "13.2", "14"),
    ("2", "1" + "0" * 4999, "2" + "0" * 4999),
]
SAME = [
    ("1.0", "1.00"),
    ("0732", "732"),
    ("1.0+b", "1.0_b"),
    ("é1", "1"),
    ("0", "000"),
    ("1/", "1"),
]
VERSIONS = st.text("~^.-+aB019", max_size=8)


@pytest.mark.parametrize("row", ASCENDING, ids=lambda row: row[1][:20])
def test_compare_versions_specified_row_rises(row: tuple[str, ...]) -> None:
    for older, newer in itertools.combinations(row, 2):
        assert compare_versions(older, newer) == -1, (older, newer)
        assert compare_versions(newer, older) == 1, (older, newer)


@pytest.mark.parametrize(("a", "b"), SAME)
def test_compare_versions_same_meaning_is_equal(a: str, b: str) -> None:
    assert compare_versions(a, b) == 0
    assert version_key(a) == version_key(b)


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_compare_versions_any_three_are_in_one_order(versions: list[str]) -> None:
    low, middle, high = sorted(versions, key=version_key)
    assert compare_versions(low, middle) <= 0
    assert compare_versions(middle, high) <= 0
    assert compare_versions(low, high) <= 0
    assert compare_versions(low, high) == -compare_versions(high, low)


@given(st.text(), st.text())
def test_compare_versions_any_text_is_compared(a: str, b: str) -> None:
    assert compare_versions(a, a) == 0
    assert compare_versions(a, b) == -compare_versions(b, a)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=5), st.integers(1, 10**9))
def test_compare_versions_higher_last_number_is_newer(numbers: list[int], more: int) -> None:
    later = [*numbers[:-1], numbers[-1] + more]
    assert compare_versions(".".join(map(str, later)), ".".join(map(str, numbers))) == 1


def test_newest_of_none_is_none() -> None:
    assert newest([]) is None


def test_newest_unsorted_is_highest() -> None:
    assert newest(["3.0.20250717.0732", "3.0.20250717.1000", "2.9"]) == "3.0.20250717.1000"


def test_newest_same_meaning_does_not_depend_on_order() -> None:
    assert newest(["1.0", "1.00"]) == newest(["1.00", "1.0"]) == "1.00"
