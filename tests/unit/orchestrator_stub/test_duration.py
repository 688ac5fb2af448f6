# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from orchestrator_stub.duration import parse_duration
from orchestrator_stub.main import _parser
from orchestrator_stub.release.roles import parse_validity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("30m", 1800),
        ("30min", 1800),
        ("12h", 43_200),
        ("90d", 7_776_000),
        ("999999999d", 86_399_999_913_600),
    ],
)
def test_duration_units(text: str, seconds: int) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "1", "d", "1w", "1.5h", "1 d", "1D", "1M", "1d "]
)
def test_duration_of_another_form_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="like 90d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["30m", "30min"])
def test_duration_is_the_same_to_both_programs(text: str) -> None:
    served = _parser().parse_args(["serve", "--refresh-period", text])
    assert served.refresh_period == parse_validity(text).total_seconds() == 1800
