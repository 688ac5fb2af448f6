# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from tests.demo.ledger import Ledger
from tests.demo.narration import Narration


@pytest.fixture
def ledger() -> Ledger:
    fetched = iter((0, 5, 5, 5))
    return Ledger(lambda: next(fetched), Narration())


def test_held_without_any_row_is_false(ledger: Ledger) -> None:
    assert not ledger.held


def test_held_with_all_rows_as_expected_is_true(ledger: Ledger) -> None:
    ledger.note("one", expected="good", seen="good")
    assert ledger.held


def test_held_with_one_row_that_differs_is_false(ledger: Ledger) -> None:
    ledger.note("one", expected="good", seen="bad")
    assert not ledger.held


def test_write_gives_each_row_with_the_bytes_since_the_one_before(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.note("one", expected="good", seen="bad")
    file = tmp_path / "summary.json"
    ledger.write(file)
    (step,) = json.loads(file.read_text(encoding="utf-8"))["steps"]
    assert set(step) == {"name", "expected", "seen", "seconds", "bytes_fetched"}
    assert (step["expected"], step["seen"], step["bytes_fetched"]) == ("good", "bad", 5)
