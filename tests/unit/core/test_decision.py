# SPDX-License-Identifier: Apache-2.0
"""The decision, row by row of its table, and by the order of the rows."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core import decision
from puad.core.decision import Decision, decide
from puad.core.model import Offer

HASH, OTHER_HASH = "a" * 64, "b" * 64
OFFER = Offer("edge/13.2/edge-13.2.raw.zst", "13.2", HASH, "edge")


def decided(
    offer: Offer | None = OFFER,
    *,
    profile: str = "edge",
    booted: str = "13.1",
    booted_hash: str | None = None,
    quarantine: tuple[str, ...] = (),
    floor: str | None = None,
) -> Decision:
    return decide(
        offer,
        profile=profile,
        booted_image_id=booted,
        booted_file_hash=booted_hash,
        quarantine=quarantine,
        floor=floor,
    )


def test_decide_other_image_of_this_profile_is_installed() -> None:
    assert decided() is Decision.INSTALL
    assert (
        decided(booted_hash=OTHER_HASH, quarantine=(OTHER_HASH,), floor="13.1") is Decision.INSTALL
    )


def test_decide_older_than_booted_is_installed() -> None:
    assert decided(booted="14.0", floor="13.0") is Decision.INSTALL


def test_decide_nothing_offered_is_none() -> None:
    assert decided(None) is Decision.NONE


@pytest.mark.parametrize("profile", ["", "Edge", "edge-rt"])
def test_decide_other_or_unknown_profile_is_wrong(profile: str) -> None:
    assert decided(profile=profile) is Decision.WRONG_PROFILE


def test_decide_nameless_profile_on_both_sides_is_wrong() -> None:
    assert decided(replace(OFFER, profile_name=""), profile="") is Decision.WRONG_PROFILE


@pytest.mark.parametrize(
    ("booted", "booted_hash", "expected"),
    [
        ("13.2", None, Decision.ALREADY_BOOTED),
        ("13.2", HASH, Decision.ALREADY_BOOTED),
        # rebuilt under the same image id
        ("13.2", OTHER_HASH, Decision.INSTALL),
        # a stored hash does not outrank os-release
        ("13.1", HASH, Decision.INSTALL),
        ("", None, Decision.INSTALL),
    ],
)
def test_decide_booted_image_by_id_and_known_hash(
    booted: str, booted_hash: str | None, expected: Decision
) -> None:
    assert decided(booted=booted, booted_hash=booted_hash) is expected


def test_decide_quarantined_hash_is_not_tried() -> None:
    assert decided(quarantine=(OTHER_HASH, HASH)) is Decision.QUARANTINED


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        ("13.2", Decision.INSTALL),
        ("13.02", Decision.INSTALL),
        ("13.2~rc1", Decision.INSTALL),
        ("13.10", Decision.BELOW_FLOOR),
        ("13.2.1", Decision.BELOW_FLOOR),
    ],
)
def test_decide_floor_is_compared_as_a_version(floor: str, expected: Decision) -> None:
    assert decided(floor=floor) is expected


def test_decide_several_reasons_the_first_of_the_table_is_given() -> None:
    """Every reason holds at first; each step takes away the one that was given."""
    every: dict[str, Any] = {"booted": "13.2", "quarantine": (HASH,), "floor": "14"}
    assert decided(profile="other", **every) is Decision.WRONG_PROFILE
    assert decided(**every) is Decision.ALREADY_BOOTED
    assert decided(**(every | {"booted": "13.1"})) is Decision.QUARANTINED
    assert decided(**(every | {"booted": "13.1", "quarantine": ()})) is Decision.BELOW_FLOOR


def test_decide_table_in_the_docstring_has_every_word_in_order() -> None:
    rows = [
        line.split("|")[1].strip() for line in str(decision.__doc__).splitlines() if "|" in line
    ]
    assert rows[2:] == [word.name for word in Decision]


@given(st.builds(Offer, *[st.text()] * 5), st.text(), st.text(), st.text() | st.none())
def test_decide_any_text_is_decided(
    offer: Offer, profile: str, booted: str, floor: str | None
) -> None:
    found = decided(offer, profile=profile, booted=booted, floor=floor)
    assert (found is Decision.INSTALL) <= (offer.profile_name == profile != "")
