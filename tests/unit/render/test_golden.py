# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from puad.render import HistoryView, document, history_document, one_line, status_document
from puad.render.history_text import history_text
from puad.render.paint import Paint
from puad.render.slots_text import slots_text
from puad.render.status_text import status_text
from tests.unit.render.views import HISTORY, LONE_SLOTS, SLOTS, STATUS_VIEWS

Golden = Callable[[str, str], None]


def as_json(body: dict[str, object]) -> str:
    return json.dumps(body, indent=2) + "\n"


@pytest.mark.parametrize("name", STATUS_VIEWS)
def test_status_text_is_the_golden_one(golden: Golden, name: str) -> None:
    golden(f"status/{name}.txt", status_text(STATUS_VIEWS[name]))


@pytest.mark.parametrize("name", STATUS_VIEWS)
def test_status_document_is_the_golden_one(golden: Golden, name: str) -> None:
    golden(f"status/{name}.json", as_json(status_document(STATUS_VIEWS[name])))


def test_one_line_of_each_status_is_the_golden_one(golden: Golden) -> None:
    lines = [f"{name}: {one_line(view)}\n" for name, view in STATUS_VIEWS.items()]
    golden("status/one-line.txt", "".join(lines))


def test_coloured_status_is_the_golden_one(golden: Golden) -> None:
    coloured = status_text(STATUS_VIEWS["rolled-back"], paint=Paint(colour=True))
    golden("status/rolled-back.colour.txt", coloured)


def test_slots_are_the_golden_ones(golden: Golden) -> None:
    golden("slots.txt", slots_text(SLOTS))
    golden("slots-without-fallback.txt", slots_text(LONE_SLOTS))
    golden("slots.json", as_json(document(SLOTS)))


def test_history_is_the_golden_one(golden: Golden) -> None:
    golden("history.txt", history_text(HISTORY))
    golden("history-of-none.txt", history_text(HistoryView()))
    golden("history.json", as_json(history_document(HISTORY)))
