# SPDX-License-Identifier: Apache-2.0
"""The two messages: what goes out comes in again, and nothing else comes in."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.cron import FIELDS
from puad.core.errors import Code, WireError
from puad.core.model import Offer, RepeatedSchedule, Schedules, SingleSchedule
from puad.core.wire import (
    MAX_DETAIL_CHARS,
    MAX_SCHEDULES,
    MAX_TIME_S,
    Answer,
    OSType,
    StatusReport,
    StatusType,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    loads,
)

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
HASH = "0123456789abcdef" * 4
OFFER = Offer("edge/13.2/edge-13.2.raw.zst", "13.2", HASH, "edge")
NIGHTLY = RepeatedSchedule(3600, "0", "2", "*", "*", "1,2,3")
WEEKEND = RepeatedSchedule(86_400, "30", "*", "1,31", "12", "0,6")
FULL = Answer(
    OFFER, Schedules(SingleSchedule(100, 200), (NIGHTLY, WEEKEND)), OSType.IMMUTABLE, (HASH,)
)
REPORT = StatusReport(StatusType.DOWNLOADING, progress_percent=7)


def short(text: str) -> bool:
    return len(text) <= 500


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
LINES = st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xD7FF, codec="utf-8")).filter(
    lambda text: not {"\u2028", "\u2029"} & set(text)
)
FREE = st.text(st.characters(exclude_characters="\x00", codec="utf-8"))
REPORTS = st.builds(
    StatusReport,
    status_type=st.sampled_from(StatusType),
    status_detail=FREE,
    profile_name=LINES.map(lambda text: text[:128]),
    profile_version=LINES.map(lambda text: text[:128]),
    os_image_id=LINES,
    os_update_available=FREE,
    progress_percent=st.none() | st.integers(0, 100),
)
OFFERS = st.builds(
    Offer,
    url=st.lists(NAMES.map(lambda name: name[:20]), min_size=1, max_size=16).map("/".join),
    image_id=NAMES,
    file_hash=HASHES,
    profile_name=NAMES,
    profile_version=LINES.map(lambda text: text[:128]),
)
SINGLES = st.integers(1, MAX_TIME_S - 1).flatmap(
    lambda start: st.builds(
        SingleSchedule, st.just(start), st.just(0) | st.integers(start + 1, MAX_TIME_S)
    )
)
REPEATED = st.builds(
    RepeatedSchedule,
    st.integers(1, 86_400),
    *(st.from_regex(form, fullmatch=True).filter(short) for form in FIELDS.values()),
)
ANSWERS = st.builds(
    Answer,
    offer=st.none() | OFFERS,
    schedules=st.builds(Schedules, st.none() | SINGLES, st.lists(REPEATED, max_size=5).map(tuple)),
    os_type=st.sampled_from(OSType),
    clear_quarantine=st.lists(HASHES, max_size=64).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def over_the_wire(document: dict[str, Any]) -> dict[str, Any]:
    return loads(json.dumps(document).encode())


def snake(document: Any) -> Any:
    """The same message in the proto's own spelling."""
    if isinstance(document, list):
        return [snake(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name): snake(value)
        for name, value in document.items()
    }


@given(st.uuids().map(str), REPORTS)
def test_request_any_report_comes_back(guid: str, report: StatusReport) -> None:
    assert decode_request(over_the_wire(encode_request(guid, report))) == (guid, report)


@given(ANSWERS)
def test_response_any_answer_comes_back(answer: Answer) -> None:
    document = over_the_wire(encode_response(answer))
    assert decode_response(document) == answer
    assert decode_response(snake(document)) == answer


def test_request_has_the_names_of_the_proto() -> None:
    report = StatusReport(StatusType.UPDATED, "detail", "edge", "1", "13.2", "none", 100)
    assert encode_request(GUID, report) == {
        "hostGuid": GUID,
        "updateStatus": {
            "statusType": "STATUS_TYPE_UPDATED",
            "statusDetail": "detail",
            "profileName": "edge",
            "profileVersion": "1",
            "osImageId": "13.2",
            "osUpdateAvailable": "none",
            "progressPercent": 100,
        },
    }


def test_request_defaults_are_left_out() -> None:
    document = encode_request(GUID.upper(), StatusReport(StatusType.UP_TO_DATE))
    assert document == {
        "hostGuid": GUID,
        "updateStatus": {"statusType": "STATUS_TYPE_UP_TO_DATE"},
    }


def test_request_progress_of_nothing_yet_is_said() -> None:
    report = StatusReport(StatusType.DOWNLOADING, progress_percent=0)
    assert encode_request(GUID, report)["updateStatus"]["progressPercent"] == 0


def test_response_has_the_names_of_the_proto() -> None:
    assert encode_response(FULL) == {
        "updateSource": {},
        "updateSchedule": {
            "singleSchedule": {"startSeconds": "100", "endSeconds": "200"},
            "repeatedSchedules": [
                {
                    "durationSeconds": 3600,
                    "cronMinutes": "0",
                    "cronHours": "2",
                    "cronDayMonth": "*",
                    "cronMonth": "*",
                    "cronDayWeek": "1,2,3",
                },
                {
                    "durationSeconds": 86_400,
                    "cronMinutes": "30",
                    "cronHours": "*",
                    "cronDayMonth": "1,31",
                    "cronMonth": "12",
                    "cronDayWeek": "0,6",
                },
            ],
        },
        "osType": "OS_TYPE_IMMUTABLE",
        "osProfileUpdateSource": {
            "osImageUrl": "edge/13.2/edge-13.2.raw.zst",
            "osImageId": "13.2",
            "osImageSha": HASH,
            "profileName": "edge",
        },
        "clearQuarantine": [HASH],
    }


def test_response_without_policy_has_what_the_original_node_needs() -> None:
    assert encode_response(Answer()) == {
        "updateSource": {},
        "updateSchedule": {},
        "osProfileUpdateSource": {},
        "osType": "OS_TYPE_UNSPECIFIED",
    }


def test_request_of_the_original_numbers_and_unknown_fields_are_read() -> None:
    document = {
        "host_guid": GUID.upper(),
        "update_status": {"status_type": 5, "os_image_id": "3.0.20260602.2200", "more": [{}]},
        "unknown": {"deep": [1]},
    }
    expected = StatusReport(StatusType.DOWNLOADING, os_image_id="3.0.20260602.2200")
    assert decode_request(document) == (GUID, expected)


@pytest.mark.parametrize("number", range(7))
def test_request_status_numbers_are_those_of_the_proto(number: int) -> None:
    order = [
        "UNSPECIFIED",
        "UP_TO_DATE",
        "STARTED",
        "UPDATED",
        "FAILED",
        "DOWNLOADING",
        "DOWNLOADED",
    ]
    document = {"hostGuid": GUID, "updateStatus": {"statusType": number}}
    assert decode_request(document)[1].status_type is StatusType[order[number]]


def test_response_of_the_original_is_read() -> None:
    """What the original server sends beside ours is ignored; plain numbers are as good."""
    document = {
        "updateSource": {"kernelCommand": "quiet; reboot", "customRepos": ["x"]},
        "updateSchedule": {
            "singleSchedule": {"startSeconds": 100},
            "repeatedSchedule": None,
            "repeatedSchedules": [],
        },
        "installedPackages": "curl\nvim",
        "osType": 2,
        "osProfileUpdateSource": {
            "osImageUrl": "files-edge-orch/repository/microvisor/non_rt/edge-3.0.raw.gz",
            "osImageId": "3.0.20260602.2200",
            "osImageSha": HASH,
            "profileName": "microvisor-nonrt",
            "profileVersion": "",
        },
    }
    answer = decode_response(document)
    assert answer.schedules == Schedules(SingleSchedule(100, 0))
    assert answer.os_type is OSType.IMMUTABLE
    assert answer.offer is not None
    assert answer.offer.image_id == "3.0.20260602.2200"


@pytest.mark.parametrize(
    "source", [None, {}, {"osImageSha": ""}, {"osImageSha": None, "osImageUrl": "../x"}]
)
def test_response_empty_source_is_no_policy(source: object) -> None:
    document = {"updateSource": {}, "osProfileUpdateSource": source}
    assert decode_response(document) == Answer()


@pytest.mark.parametrize(
    "document", [{}, {"error": "x"}, {"updateSource": None}, {"updateSource": 1}]
)
def test_response_without_update_source_is_no_answer(document: dict[str, Any]) -> None:
    """A proxy's JSON page must not be read as "no policy"."""
    with pytest.raises(WireError) as caught:
        decode_response(document)
    assert caught.value.on == "updateSource"


def encoded(repeated: RepeatedSchedule) -> dict[str, Any]:
    document = encode_response(Answer(schedules=Schedules(repeated=(repeated,))))
    return dict(document["updateSchedule"]["repeatedSchedules"][0])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (NIGHTLY, [], (NIGHTLY,)),
        (NIGHTLY, [NIGHTLY, WEEKEND], (NIGHTLY, WEEKEND)),
        (NIGHTLY, [WEEKEND], (WEEKEND, NIGHTLY)),
    ],
)
def test_response_deprecated_single_repeated_schedule_counts_once(
    old: RepeatedSchedule, new: list[RepeatedSchedule], expected: tuple[RepeatedSchedule, ...]
) -> None:
    schedule = {"repeatedSchedule": encoded(old), "repeatedSchedules": [encoded(r) for r in new]}
    answer = decode_response({"updateSource": {}, "updateSchedule": schedule})
    assert answer.schedules.repeated == expected


@pytest.mark.parametrize("duration", [0, None, "0"])
def test_response_repeated_schedule_that_never_opens_is_left_out(duration: object) -> None:
    never = encoded(WEEKEND) | {"durationSeconds": duration}
    schedule = {"repeatedSchedules": [never, encoded(NIGHTLY)]}
    answer = decode_response({"updateSource": {}, "updateSchedule": schedule})
    assert answer.schedules.repeated == (NIGHTLY,)


def put(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The document with one value replaced, by a path such as `a.b[0].c`."""
    steps = path.replace("[", ".[").split(".")
    document = json.loads(json.dumps(document))
    place: Any = document
    for step in steps[:-1]:
        place = place[int(step[1:-1])] if step[0] == "[" else place[step]
    last = steps[-1]
    place[int(last[1:-1]) if last[0] == "[" else last] = value
    return dict(document)


SOURCE, SINGLE = "osProfileUpdateSource", "updateSchedule.singleSchedule"
FIRST = "updateSchedule.repeatedSchedules[0]"
BAD_ANSWERS: list[tuple[str, list[Any]]] = [
    (SOURCE, [[], "x", 1, True]),
    (
        f"{SOURCE}.osImageUrl",
        [
            None,
            "",
            1,
            "/abs",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            ".x",
            "a/.b",
            "a\\b",
            "a b",
            "http://evil/x",
            "https://release.example/edge/x",
            "file:///etc/passwd",
            "//evil/x",
            "a%2e%2e/b",
            "a?b",
            "a#b",
            "a\n",
            "a\x00",
            "\N{CYRILLIC SMALL LETTER A}",
            "a/" * 16 + "a",
            "a" * 501,
        ],
    ),
    (f"{SOURCE}.osImageId", [None, "", 132, "13 2", "13\n2", "-1", "../13", "1" * 129, "\ud800"]),
    (
        f"{SOURCE}.osImageSha",
        [1, HASH.upper(), HASH[:-1], HASH + "0", "g" * 64, HASH[:-1] + "\n", "\u0661" * 64],
    ),
    (f"{SOURCE}.profileName", [None, "", "a/b", "edge\n", "e" * 129, {}, ["edge"]]),
    (f"{SOURCE}.profileVersion", [1, "a\nb", "\ud800", "1" * 129]),
    ("osType", ["IMMUTABLE", True, 2.0, [], "2"]),
    ("updateSchedule", [[], "x", 1]),
    (SINGLE, [[], "x", 100]),
    (
        f"{SINGLE}.startSeconds",
        [None, 0, -1, 1.5, True, "", "x", "1e3", 200, 300, MAX_TIME_S + 1, 2**64, "9" * 5000],
    ),
    (f"{SINGLE}.endSeconds", [-1, 99, 100, "100", 1e9, True, MAX_TIME_S + 1, [], "-0x1"]),
    ("updateSchedule.repeatedSchedules", [{}, "x", [encoded(NIGHTLY)] * (MAX_SCHEDULES + 1), [1]]),
    ("updateSchedule.repeatedSchedule", [[], "x", {}, {"durationSeconds": 60}]),
    (FIRST, [None, [], "x", {}]),
    (f"{FIRST}.durationSeconds", [-1, 86_401, 60.0, True, "60s", [], 10**30]),
    (f"{FIRST}.cronMinutes", [None, "", "60", "*/5", "1-5", 5, "5 ", "0," * 300 + "0"]),
    (f"{FIRST}.cronHours", [None, "", "24", "?"]),
    (f"{FIRST}.cronDayMonth", [None, "", "0", "32", "L"]),
    (f"{FIRST}.cronMonth", [None, "", "0", "13", "JAN"]),
    (f"{FIRST}.cronDayWeek", [None, "", "7", "SUN"]),
    ("clearQuarantine", [{}, "x", HASH, [1], [HASH.upper()], [HASH] * 65, [None], [[HASH]]]),
    ("updateSource", [None, [], "x"]),
]
BAD_REQUESTS: list[tuple[str, list[Any]]] = [
    (
        "hostGuid",
        [
            None,
            "",
            1,
            "x",
            GUID[:-1],
            GUID + "0",
            GUID.replace("-", ""),
            f"{{{GUID}}}",
            f"{GUID}\n",
            f"urn:uuid:{GUID}",
            GUID.replace("0", "\N{ARABIC-INDIC DIGIT ZERO}"),
            [GUID],
        ],
    ),
    ("updateStatus", [None, [], "x", 1]),
    ("updateStatus.statusType", ["UPDATED", True, 1.0, [], "1"]),
    ("updateStatus.statusDetail", [1, "\x00", "\ud800", "x" * (MAX_DETAIL_CHARS + 1), {}]),
    ("updateStatus.profileName", [1, "a\nb", "\x1b[2J", "x" * 129]),
    ("updateStatus.profileVersion", [1, "a\x7f", "x" * 129]),
    ("updateStatus.osImageId", [1, "a\tb", "x" * 501]),
    ("updateStatus.osUpdateAvailable", [1, "\x00"]),
    ("updateStatus.progressPercent", [-1, 101, 50.0, True, "x", [], 10**30]),
]


def rows(table: list[tuple[str, list[Any]]]) -> list[Any]:
    return [
        pytest.param(path, value, id=f"{path}-{number}")
        for path, values in table
        for number, value in enumerate(values)
    ]


def refusal(decode: Callable[[dict[str, Any]], object], document: dict[str, Any]) -> str | None:
    """The field that is refused, or None; any other error is a failure of the test."""
    try:
        decode(document)
    except WireError as error:
        return error.on
    return None


def refused_at(decode: Callable[[dict[str, Any]], object], document: dict[str, Any]) -> str:
    with pytest.raises(WireError) as caught:
        decode(document)
    assert caught.value.code is Code.SERVER_ANSWER_INVALID
    assert len(str(caught.value)) < 200
    return caught.value.on


@pytest.mark.parametrize(("path", "value"), rows(BAD_ANSWERS))
def test_response_bad_value_is_refused_and_named(path: str, value: object) -> None:
    good = put(encode_response(FULL), "updateSchedule.repeatedSchedule", encoded(NIGHTLY))
    decode_response(good)
    on = refused_at(decode_response, put(good, path, value))
    # A start moved to the end or behind it is the end's fault as much as its own.
    assert on.startswith((path, SINGLE if path.startswith(SINGLE) else path))


@pytest.mark.parametrize(("path", "value"), rows(BAD_REQUESTS))
def test_request_bad_value_is_refused_and_named(path: str, value: object) -> None:
    good = encode_request(GUID, REPORT)
    decode_request(good)
    assert refused_at(decode_request, put(good, path, value)) == path


def test_request_of_a_mutable_system_with_lines_is_read() -> None:
    report = replace(REPORT, status_detail="a\r\nb\x1b", os_update_available="curl\nvim")
    assert decode_request(encode_request(GUID, report)) == (GUID, report)


@given(st.dictionaries(st.sampled_from(["hostGuid", "updateStatus", "x"]), JSON), JSON)
def test_decode_any_json_is_read_or_refused(document: dict[str, Any], status: object) -> None:
    document |= {"updateSource": {}, "hostGuid": GUID, "updateStatus": status}
    for decode in (decode_request, decode_response):
        refusal(decode, document)


@given(
    st.sampled_from([path for path, _ in BAD_ANSWERS]),
    JSON,
)
def test_response_any_value_in_any_field_is_read_or_refused(path: str, value: object) -> None:
    full = put(encode_response(FULL), "updateSchedule.repeatedSchedule", encoded(NIGHTLY))
    document = put(full, path, value)
    if refusal(decode_response, document) is None:
        answer = decode_response(document)
        assert decode_response(encode_response(answer)) == answer
