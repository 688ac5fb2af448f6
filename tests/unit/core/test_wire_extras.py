# SPDX-License-Identifier: Apache-2.0
"""What a node tells beside the protocol: it comes back, and what is wrong is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.model import Assessment, SlotState
from puad.core.wire import (
    SlotReport,
    StatusReport,
    StatusType,
    decode_request,
    encode_request,
    loads,
)
from puad.core.wire_extras import MAX_PHASE_CHARS, MAX_QUARANTINE, MAX_SLOTS

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
HASH = "0123456789abcdef" * 4
A = SlotReport("a", "13.1", SlotState.BOOTED, Assessment.GOOD)
B = SlotReport("b", "", SlotState.INACTIVE, Assessment.INDETERMINATE)
SLOTS = st.builds(
    SlotReport,
    name=st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True),
    image_id=st.just("") | st.from_regex(r"[0-9][0-9.]{0,20}", fullmatch=True),
    state=st.sampled_from(SlotState),
    assessment=st.sampled_from(Assessment),
)
REPORTS = st.builds(
    StatusReport,
    status_type=st.sampled_from(StatusType),
    phase=st.sampled_from(["", "writing", "waiting to try again"]),
    slots=st.lists(SLOTS, max_size=MAX_SLOTS).map(tuple),
    quarantine=st.none()
    | st.lists(
        st.from_regex(r"[0-9a-f]{64}", fullmatch=True), max_size=MAX_QUARANTINE, unique=True
    ).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def told(**fields: Any) -> StatusReport:
    return decode_request({"hostGuid": GUID, "updateStatus": {"statusType": 1, **fields}})[1]


@given(REPORTS)
def test_extras_come_back(report: StatusReport) -> None:
    document = loads(json.dumps(encode_request(GUID, report)).encode())
    assert decode_request(document) == (GUID, report)


def test_extras_have_their_names_and_are_left_out_unless_set() -> None:
    report = StatusReport(StatusType.UP_TO_DATE, phase="writing", slots=(A, B), quarantine=(HASH,))
    assert encode_request(GUID, report)["updateStatus"] == {
        "statusType": "STATUS_TYPE_UP_TO_DATE",
        "phase": "writing",
        "slots": [
            {"name": "a", "imageId": "13.1", "state": "booted", "assessment": "good"},
            {"name": "b", "imageId": "", "state": "inactive", "assessment": "indeterminate"},
        ],
        "quarantine": [HASH],
    }
    plain = encode_request(GUID, StatusReport(StatusType.UP_TO_DATE))
    assert plain["updateStatus"] == {"statusType": "STATUS_TYPE_UP_TO_DATE"}


def test_quarantine_that_is_empty_is_not_one_that_is_not_told() -> None:
    empty = StatusReport(StatusType.UP_TO_DATE, quarantine=())
    assert encode_request(GUID, empty)["updateStatus"]["quarantine"] == []
    assert told(quarantine=[]).quarantine == ()
    assert told().quarantine is told(quarantine=None).quarantine is None


@pytest.mark.parametrize(
    "phase",
    [None, 1, [], {}, "x" * (MAX_PHASE_CHARS + 1), "a\nb", "<b>", " a", "\x1b[2J", "\ud800", "é"],
)
def test_phase_of_another_form_is_left_out(phase: object) -> None:
    assert told(phase=phase) == StatusReport(StatusType.UP_TO_DATE)


@pytest.mark.parametrize(
    "slot",
    [
        None,
        "a",
        [],
        {},
        {**A.dump(), "name": "a/b"},
        {**A.dump(), "name": None},
        {**A.dump(), "imageId": "1 3"},
        {**A.dump(), "imageId": 13},
        {**A.dump(), "imageId": "1" * 129},
        {**A.dump(), "state": "broken"},
        {**A.dump(), "state": []},
        {**A.dump(), "assessment": None},
    ],
)
def test_slot_of_another_form_is_left_out_and_the_others_stay(slot: object) -> None:
    assert told(slots=[slot, B.dump()]).slots == (B,)


def test_slot_in_the_protos_spelling_and_without_image_is_read() -> None:
    plain = {"name": "a", "state": "booted", "assessment": "good"}
    assert told(slots=[{**plain, "image_id": "13.1"}, plain]).slots == (
        A,
        SlotReport("a", "", SlotState.BOOTED, Assessment.GOOD),
    )


def test_too_many_are_cut() -> None:
    hashes = [f"{number:064x}" for number in range(MAX_QUARANTINE + 9)]
    report = told(slots=[A.dump()] * 50, quarantine=[*hashes, HASH.upper(), 1, None])
    assert report.slots == (A,) * MAX_SLOTS
    assert report.quarantine == tuple(hashes[:MAX_QUARANTINE])
    written = StatusReport(StatusType.UP_TO_DATE, slots=(A,) * 9, quarantine=tuple(hashes))
    status = encode_request(GUID, written)["updateStatus"]
    assert status["slots"] == [A.dump()] * MAX_SLOTS
    assert status["quarantine"] == hashes[-MAX_QUARANTINE:]


@pytest.mark.parametrize("value", ["x", 1, {}, {"a": "b"}, True])
def test_what_is_no_list_is_nothing(value: object) -> None:
    report = told(slots=value, quarantine=value)
    assert (report.slots, report.quarantine) == ((), None)


@given(JSON, JSON, JSON)
def test_extras_never_refuse_a_report(phase: object, slots: object, quarantine: object) -> None:
    report = told(phase=phase, slots=slots, quarantine=quarantine)
    assert decode_request(encode_request(GUID, report)) == (GUID, report)
