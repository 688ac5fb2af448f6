# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta

import pytest

from puad.render import ProgressView, one_line
from puad.render.history_text import history_text
from puad.render.paint import Paint, visible_length
from puad.render.progress_bar import progress_bar
from puad.render.quantity import bytes_text, duration_text, part_text
from puad.render.slots_text import slots_text
from puad.render.status_text import status_text
from tests.unit.render.views import HISTORY, HOSTILE, LONE_SLOTS, SLOTS, STATUS_VIEWS

COLOUR = Paint(colour=True)


@pytest.mark.parametrize("paint", [Paint(), COLOUR], ids=["plain", "colour"])
def test_every_text_fits_into_80_columns(paint: Paint) -> None:
    texts = [status_text(view, paint=paint) for view in STATUS_VIEWS.values()]
    texts += [slots_text(SLOTS, paint=paint), slots_text(LONE_SLOTS, paint=paint)]
    texts.append(history_text(HISTORY, paint=paint))
    for line in "".join(texts).splitlines():
        assert visible_length(line) <= 80, line


def test_colours_change_nothing_but_the_colour() -> None:
    coloured = status_text(HOSTILE, paint=COLOUR)
    assert "\x1b[" in coloured
    for sequence in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{sequence}m", "")
    assert coloured == status_text(HOSTILE)


def test_control_characters_of_others_never_reach_the_terminal() -> None:
    for text in (status_text(HOSTILE), one_line(HOSTILE)):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "\n" not in one_line(HOSTILE)


def test_narrow_terminal_still_shows_whole_names() -> None:
    assert "2f7fcf2c-0cd2-4f01-9aa5-e2c5c5b4f0a1" in status_text(HOSTILE, width=20)


def test_one_line_is_never_long() -> None:
    assert max(len(one_line(view)) for view in STATUS_VIEWS.values()) <= 200


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1 << 20, "1.0 MiB"),
        (145_122_918, "138.4 MiB"),
        (4 << 30, "4.0 GiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_bytes_are_told_in_binary_units(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 01 s"),
        (3900, "1 h 05 min"),
        (90_000, "1 d 01 h"),
    ],
)
def test_durations_are_told_by_their_largest_units(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


def test_progress_bar_says_how_much_how_fast_and_how_long() -> None:
    bar = progress_bar(ProgressView("fetch", 50 << 20, 100 << 20, 6_186_598, 90), 79)
    assert bar.startswith("fetch  50 % ███████")
    assert bar.endswith(" 50.0 of 100.0 MiB, 5.9 MiB/s, 1 min 30 s left")
    assert len(bar) == 79


def test_progress_bar_says_no_more_than_is_known() -> None:
    bar = progress_bar(ProgressView("fetch", 50 << 20, 100 << 20), 60)
    assert bar.endswith(" 50.0 of 100.0 MiB")
    assert "/s" not in bar
    assert "left" not in bar


@pytest.mark.parametrize(
    ("width", "bar"),
    [
        (60, "fetch  50 %  50.0 of 100.0 MiB, 5.9 MiB/s, 1 min 30 s left"),
        (50, "fetch  50 % █████▌      5.9 MiB/s, 1 min 30 s left"),
        (30, "fetch  50 %  1 min 30 s left"),
        (20, "fetch  50 % "),
    ],
)
def test_progress_bar_leaves_out_what_does_not_fit(width: int, bar: str) -> None:
    progress = ProgressView("fetch", 50 << 20, 100 << 20, 6_186_598, 90)
    assert progress_bar(progress, width).rstrip() == bar.rstrip()


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (58 << 20, 138 << 20, "58.0 of 138.0 MiB"),
        (58 << 20, 2 << 30, "58.0 MiB of 2.0 GiB"),
        (0, 1 << 20, "0 B of 1.0 MiB"),
        (1, 1000, "1 of 1000 B"),
    ],
)
def test_part_of_a_size_names_a_common_unit_once(part: int, whole: int, text: str) -> None:
    assert part_text(part, whole) == text


def test_progress_bar_says_why_it_stands_still() -> None:
    progress = ProgressView("fetch", 50 << 20, 100 << 20, paused="load 5.2 above 4.0")
    assert progress_bar(progress, 79).endswith(" paused: load 5.2 above 4.0")


def test_progress_bar_keeps_its_length_while_the_figures_change() -> None:
    rates = (None, 0, 900, 9_000_000, 99_000_000, 1 << 30)
    bars = [progress_bar(ProgressView("fetch", 69 << 20, 138 << 20, rate, 3), 79) for rate in rates]
    assert {bar.count("█") for bar in bars} == {bars[0].count("█")}
    assert {len(bar) for bar in bars} == {79}


@pytest.mark.parametrize(
    "progress",
    [ProgressView(), ProgressView("fetch", 5, 0), ProgressView("", 5, 10)],
    ids=["none", "unknown total", "no phase"],
)
def test_progress_bar_without_a_measure_is_empty(progress: ProgressView) -> None:
    assert progress_bar(progress) == ""


@pytest.mark.parametrize("done", [0, 1, 99, 100, 150])
@pytest.mark.parametrize("width", [10, 40, 80])
def test_progress_bar_never_overflows(done: int, width: int) -> None:
    assert len(progress_bar(ProgressView("seal", done, 100, 7, 10**9), width)) <= width


def test_progress_bar_is_full_at_the_end() -> None:
    assert "█" * 19 in progress_bar(ProgressView("seal", 100, 100), 79)
