# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from puad.core.os_release import parse_os_release


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("IMAGE_VERSION=13.2", "13.2"),
        ('IMAGE_VERSION="13.2 beta"', "13.2 beta"),
        ("IMAGE_VERSION='13.2'", "13.2"),
        ("  IMAGE_VERSION=13.2  ", "13.2"),
        ('IMAGE_VERSION="a\\"b\\$c\\\\d"', 'a"b$c\\d'),
        ("IMAGE_VERSION=", ""),
        ("IMAGE_VERSION='", "'"),
        ("IMAGE_VERSION=\"13.2'", "\"13.2'"),
        ("IMAGE_VERSION=a=b", "a=b"),
    ],
)
def test_parse_os_release_reads_quoted_and_plain_values(line: str, value: str) -> None:
    assert parse_os_release(f"NAME=x\n{line}\n") == {"NAME": "x", "IMAGE_VERSION": value}


@pytest.mark.parametrize("line", ["# IMAGE_VERSION=1", "IMAGE_VERSION", "=1", "", "image=1"])
def test_parse_os_release_passes_over_what_is_no_assignment(line: str) -> None:
    assert parse_os_release(f"{line}\nNAME=x") == {"NAME": "x"}


def test_parse_os_release_later_assignment_wins() -> None:
    assert parse_os_release("NAME=x\nNAME=y\n") == {"NAME": "y"}
