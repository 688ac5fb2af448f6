# SPDX-License-Identifier: Apache-2.0
"""The update log, against the schema that the maintenance manager reads."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.errors import FailureReason, WireError
from puad.core.update_log import (
    MAX_ENTRIES,
    MAX_FAILURE_LOG_CHARS,
    LogAction,
    LogStatus,
    LogType,
    UpdateLogEntry,
    dump_detail,
    parse_detail,
)
from puad.core.wire import (
    MAX_DETAIL_CHARS,
    StatusReport,
    StatusType,
    decode_request,
    encode_request,
)

ENDED = datetime(2026, 11, 24, 10, 0, 7, tzinfo=UTC)
ROLLED_BACK = UpdateLogEntry(
    LogStatus.ROLLEDBACK,
    "13.3",
    ENDED,
    FailureReason.CRITICAL_SERVICES,
    "probe web failed:\nexit 1",
    package_name="edge",
)
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

TEXTS = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", codec="utf-8"))
ENTRIES = st.builds(
    UpdateLogEntry,
    status=st.sampled_from(LogStatus),
    version=TEXTS.map(lambda text: text[:128]),
    update_time=st.none()
    | st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=0)),
    failure_reason=st.sampled_from(FailureReason),
    failure_log=TEXTS,
    package_name=TEXTS.map(lambda text: text[:128]),
    update_type=st.sampled_from(LogType),
    action=st.sampled_from(LogAction),
)


def one(**changes: object) -> str:
    """A detail with one entry, some of its keys changed; None takes a key away."""
    row = json.loads(dump_detail([ROLLED_BACK]))["update_log"][0] | changes
    return json.dumps({"update_log": [{k: v for k, v in row.items() if v is not None}]})


def test_dump_detail_has_the_schema_of_the_maintenance_manager() -> None:
    assert json.loads(dump_detail([ROLLED_BACK])) == {
        "update_log": [
            {
                "update_type": "OS",
                "package_name": "edge",
                "update_time": "2026-11-24T10:00:07Z",
                "action": "upgrade",
                "status": "rolledback",
                "version": "13.3",
                "failure_reason": "criticalservices",
                "failure_log": "probe web failed:\nexit 1",
            }
        ]
    }


def test_dump_detail_success_says_no_failure() -> None:
    row = json.loads(dump_detail([UpdateLogEntry(LogStatus.INSTALLED, "13.2")]))["update_log"][0]
    assert (row["status"], row["failure_reason"], row["failure_log"]) == (
        "installed",
        "nofailure",
        "",
    )
    assert "update_time" not in row


def test_words_are_those_of_protocol_3a() -> None:
    assert [str(word) for word in LogType] == (
        ["OS", "application", "firmware", "container", "configuration"]
    )
    assert [str(word) for word in LogAction] == ["upgrade", "install"]
    assert [str(word) for word in LogStatus] == ["installed", "failed", "rolledback"]
    assert set(FailureReason) == {
        *("unspecified", "nofailure", "download", "bootloader", "insufficientstorage"),
        *("rsauthentication", "signaturecheck", "utwrite", "utbootconfiguration"),
        *("criticalservices", "inbm", "oscommit"),
    }


@given(st.lists(ENTRIES, max_size=MAX_ENTRIES))
def test_detail_any_entries_come_back(entries: list[UpdateLogEntry]) -> None:
    assert parse_detail(dump_detail(entries)) == tuple(entries)


@given(
    st.lists(
        st.builds(UpdateLogEntry, st.sampled_from(LogStatus), st.text(), failure_log=st.text())
    )
)
def test_dump_detail_any_text_is_a_detail_that_the_wire_takes(
    entries: list[UpdateLogEntry],
) -> None:
    report = StatusReport(StatusType.FAILED, dump_detail(entries))
    assert decode_request(encode_request(GUID, report))[1] == report
    assert len(parse_detail(report.status_detail)) == min(len(entries), MAX_ENTRIES)


@pytest.mark.parametrize(
    "character", ["x", '"', "\n", "\\", "\x00", "\x1b", "\ud800", "\U0001f680"]
)
def test_dump_detail_largest_log_fits_and_parses(character: str) -> None:
    text = character * (10 * MAX_FAILURE_LOG_CHARS)
    entry = replace(ROLLED_BACK, failure_log=text, version=text, package_name=text)
    detail = dump_detail([entry] * (3 * MAX_ENTRIES))
    assert len(detail) <= MAX_DETAIL_CHARS
    parsed = parse_detail(detail)
    assert len(parsed) == MAX_ENTRIES
    assert len(parsed[0].failure_log) == MAX_FAILURE_LOG_CHARS


def test_dump_detail_long_log_keeps_its_end_and_the_last_entries() -> None:
    entries = [
        replace(ROLLED_BACK, failure_log="x" * 5000 + str(n)) for n in range(MAX_ENTRIES + 2)
    ]
    parsed = parse_detail(dump_detail(entries))
    assert parsed[0].failure_log.endswith("x2")
    assert parsed[-1].failure_log.endswith(f"x{MAX_ENTRIES + 1}")


def test_dump_detail_other_zone_is_written_in_utc() -> None:
    zone = timezone(timedelta(hours=-5))
    entry = replace(ROLLED_BACK, update_time=datetime(2026, 11, 24, 5, 0, 7, 999, tzinfo=zone))
    assert '"2026-11-24T10:00:07Z"' in dump_detail([entry])


@pytest.mark.parametrize(
    "detail",
    [
        "",
        "null",
        "[]",
        "download failed: no route to host",
        "{}",
        '{"update_log": null}',
        '{"update_log": {}}',
        '{"update_log": [1]}',
        # the three spellings of upstream's own node (protocol.md §2b)
        '{"UpdateLog": [{"StatusDetail.Status": "SUCCESS", "Version": "1"}]}',
        '{"updateLog": []}',
        "\ud800",
        "[" * 100_000,
        one(status="SUCCESS"),
        one(status=1),
        one(failure_reason="installation"),
        one(failure_reason=2),
        one(update_type="os"),
        one(action="downgrade"),
        one(version=13.3),
        one(update_time="2026-11-24"),
        one(update_time="2026-11-24 10:00:07Z"),
        one(update_time="2026-11-24T10:00:07"),
        one(update_time="2026-13-24T10:00:07Z"),
        one(update_time="2026-11-24T10:00:07+99:00"),
        one(update_time="0001-01-01T00:00:00+01:00"),
        one(update_time="9999-12-31T23:59:59-01:00"),
        one(update_time=1763978407),
    ],
    ids=lambda detail: detail[:40],
)
def test_parse_detail_what_the_maintenance_manager_drops_is_refused(detail: str) -> None:
    with pytest.raises(WireError):
        parse_detail(detail)


def test_parse_detail_without_entries_is_empty() -> None:
    assert parse_detail('{"update_log": []}') == ()


def test_parse_detail_absent_keys_have_the_first_words() -> None:
    assert parse_detail('{"update_log": [{}], "more": 1}') == (
        UpdateLogEntry(LogStatus.INSTALLED, "", None, FailureReason.UNSPECIFIED),
    )
    assert parse_detail(one(more={"x": 1}, failure_log=None)) == (
        replace(ROLLED_BACK, failure_log=""),
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-24T10:00:07Z", ENDED),
        ("2026-11-24T12:00:07+02:00", ENDED),
        ("2026-11-24T10:00:07.5Z", ENDED + timedelta(milliseconds=500)),
        ("2026-11-24T10:00:07.123456789Z", ENDED + timedelta(microseconds=123456)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("", None),
    ],
)
def test_parse_detail_rfc_3339_time_is_read(text: str, time: datetime | None) -> None:
    assert parse_detail(one(update_time=text))[0].update_time == time
