# SPDX-License-Identifier: Apache-2.0
"""Reading JSON and typed fields that a hostile peer wrote."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puad.core.errors import Code, WireError
from puad.core.wire import OSType
from puad.core.wire_fields import MAX_MESSAGE_BYTES, Fields, loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def refusal(read: Callable[[], object]) -> WireError | None:
    """The error of reading; None when it was read. Any other error is a failure of the test."""
    try:
        read()
    except WireError as error:
        return error
    return None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b"{} {}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": 1' + b"0" * 5000 + b"}",
        b'{"a": -1' + b"0" * 20 + b"}",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": "' + b" " * MAX_MESSAGE_BYTES + b'"}',
    ],
    ids=lambda data: data[:16].hex(),
)
def test_loads_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        loads(data)
    assert caught.value.code is Code.SERVER_ANSWER_INVALID
    assert str(caught.value).startswith("the message cannot be read: it ")
    assert len(str(caught.value)) < 200


def test_loads_plain_message_is_read() -> None:
    assert loads(b' {"a": [1, "x", 1.5, true, null], "b": {}} \n') == {
        "a": [1, "x", 1.5, True, None],
        "b": {},
    }


def test_loads_largest_numbers_of_the_proto_are_read() -> None:
    assert loads(b'{"a": 18446744073709551615, "b": 1e308}')["a"] == 2**64 - 1


@given(st.binary())
def test_loads_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    if refusal(lambda: loads(data)) is None:
        assert isinstance(loads(data), dict)


@given(st.dictionaries(st.text(), JSON))
def test_loads_any_object_json_wrote_is_read_or_refused(document: dict[str, object]) -> None:
    data = json.dumps(document).encode()
    if refusal(lambda: loads(data)) is None:
        assert loads(data) == json.loads(data)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_fields_of_no_object_are_refused(value: object) -> None:
    with pytest.raises(WireError, match="not an object") as caught:
        Fields.of(value, "top")
    assert caught.value.on == "top"


@pytest.mark.parametrize("name", ["osImageSha", "os_image_sha"])
def test_fields_either_spelling_is_found(name: str) -> None:
    assert Fields({name: "x"}).text("os_image_sha", 9) == "x"


def test_fields_both_spellings_at_once_are_refused() -> None:
    with pytest.raises(WireError, match="twice") as caught:
        Fields({"osImageSha": "x", "os_image_sha": "x"}, "source").text("os_image_sha", 9)
    assert caught.value.on == "source.osImageSha"


@pytest.mark.parametrize("values", [{}, {"someField": None}])
def test_fields_absent_or_null_has_the_default(values: dict[str, object]) -> None:
    fields = Fields(values)
    assert fields.message("some_field") is None
    assert fields.items("some_field", 1) == []
    assert fields.text("some_field", 1) == ""
    assert fields.number("some_field", 0, 1) is None
    assert fields.word("some_field", OSType) is OSType.UNSPECIFIED
    assert fields.enum("some_field", OSType) is OSType.UNSPECIFIED
    with pytest.raises(WireError, match="missing"):
        fields.needed("some_field")
    with pytest.raises(WireError, match="missing"):
        fields.form("some_field", re.compile(".*"), 9)


def test_fields_path_names_every_step() -> None:
    inner = Fields({"aList": [{}, {"b_c": 1}]}, "top")
    path, item = inner.items("a_list", 2)[1]
    with pytest.raises(WireError) as caught:
        Fields.of(item, path).text("b_c", 9)
    assert caught.value.on == "top.aList[1].bC"


@pytest.mark.parametrize("value", [{}, "x", [1, 2, 3], 1])
def test_fields_items_no_short_list_is_refused(value: object) -> None:
    with pytest.raises(WireError, match="list of at most 2"):
        Fields({"f": value}).items("f", 2)


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (7, 7), (-7, -7), ("7", 7), ("-7", -7), ("007", 7), (100, 100), ("100", 100)],
)
def test_fields_number_integer_or_its_digits_is_read(value: object, number: int) -> None:
    assert Fields({"f": value}).number("f", -10, 100) == number


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        1.0,
        101,
        -11,
        "101",
        "",
        " 7",
        "7 ",
        "7\n",
        "+7",
        "0x7",
        "1e1",
        "7.0",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "9" * 21,
        10**30,
        [],
        {},
        [7],
    ],
    ids=repr,
)
def test_fields_number_anything_else_is_refused(value: object) -> None:
    with pytest.raises(WireError, match="integer from -10 to 100"):
        Fields({"f": value}).number("f", -10, 100)


@pytest.mark.parametrize("value", ["tab\t", "a\nb", "\x00", "\x1b[31m", "\x7f", "\x9b", "\u2028"])
def test_fields_text_control_character_is_refused(value: str) -> None:
    with pytest.raises(WireError, match="characters that no such text has"):
        Fields({"f": value}).text("f", 9)


@pytest.mark.parametrize("value", ["\x00", "a\ud800", "\udfff"])
def test_fields_text_nul_and_half_a_pair_are_refused_even_when_free(value: str) -> None:
    for free in (False, True):
        with pytest.raises(WireError, match="characters that no such text has"):
            Fields({"f": value}).text("f", 9, free=free)


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=9))
def test_fields_text_free_is_whatever_utf_8_holds(value: str) -> None:
    assert Fields({"f": value}).text("f", 9, free=True).encode() == value.encode()


@pytest.mark.parametrize("value", [1, True, [], {}, "0123456789"])
def test_fields_text_other_type_or_too_long_is_refused(value: object) -> None:
    for free in (False, True):
        with pytest.raises(WireError, match="text of at most 9"):
            Fields({"f": value}).text("f", 9, free=free)


@pytest.mark.parametrize("value", [1, None, "b", "ab", "a\n", "aaaa", [], ["a"]])
def test_fields_form_other_than_asked_is_refused(value: object) -> None:
    assert Fields({"f": "aaa"}).form("f", re.compile("a+"), 3) == "aaa"
    with pytest.raises(WireError, match="wrong form"):
        Fields({"f": value}).form("f", re.compile("a+"), 3)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("OS_TYPE_IMMUTABLE", OSType.IMMUTABLE),
        (2, OSType.IMMUTABLE),
        (0, OSType.UNSPECIFIED),
        (3, OSType.UNSPECIFIED),
        (-1, OSType.UNSPECIFIED),
        (10**30, OSType.UNSPECIFIED),
    ],
)
def test_fields_enum_name_or_number_is_read(value: object, word: OSType) -> None:
    assert Fields({"f": value}).enum("f", OSType) is word


@pytest.mark.parametrize("value", ["", "IMMUTABLE", "os_type_immutable", "2", 2.0, True, [], {}])
def test_fields_enum_unknown_name_or_other_type_is_refused(value: object) -> None:
    with pytest.raises(WireError, match="no OSType"):
        Fields({"f": value}).enum("f", OSType)


def test_fields_word_number_is_refused() -> None:
    with pytest.raises(WireError, match="no OSType"):
        Fields({"f": 2}).word("f", OSType)


@given(JSON)
def test_fields_any_value_is_read_or_refused_without_repeating_it(value: object) -> None:
    fields = Fields({"f": value})
    readers = [
        lambda: fields.message("f"),
        lambda: fields.items("f", 2),
        lambda: fields.text("f", 9),
        lambda: fields.number("f", 0, 9),
        lambda: fields.word("f", OSType),
        lambda: fields.enum("f", OSType),
        lambda: fields.form("f", re.compile("a+"), 9),
    ]
    for reader in readers:
        error = refusal(reader)
        if error is not None:
            assert error.on == "f"
            assert len(str(error)) < 120
