# SPDX-License-Identifier: Apache-2.0
"""Schedules: the calendar, and making, seeing beforehand, changing and deleting windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from orchestrator_stub.records import RepeatedSchedule, SingleSchedule
from orchestrator_stub.vocabulary import ScheduleStatus
from tests.integration.web.browser import Browser, Form, Page
from tests.integration.web.serving import World

BERLIN = ZoneInfo("Europe/Berlin")


def in_days(days: int) -> str:
    return f"{datetime.now(BERLIN) + timedelta(days=days):%Y-%m-%d}"


def new_form(world: World, browser: Browser) -> Form:
    return browser.get(f"/schedules/new?site={world.fleet.sites['Berlin store 3'].id}").form(
        "/schedules/new"
    )


def save(browser: Browser, page: Page, action: str = "/schedules/new") -> Page:
    return browser.submit(page.form(action), step="save")


def singles(world: World, name: str) -> list[SingleSchedule]:
    with world.database.reading() as session:
        mine = SingleSchedule.project_uuid == world.fleet.project.uuid
        rows = session.scalars(
            select(SingleSchedule).where(mine, SingleSchedule.name == name)
        ).all()
        session.expunge_all()
        return list(rows)


def repeateds(world: World, name: str) -> list[RepeatedSchedule]:
    with world.database.reading() as session:
        mine = RepeatedSchedule.project_uuid == world.fleet.project.uuid
        rows = session.scalars(
            select(RepeatedSchedule).where(mine, RepeatedSchedule.name == name)
        ).all()
        session.expunge_all()
        return list(rows)


def test_list_shows_what_opens_when_and_for_whom(looker: Browser) -> None:
    rows = {row["Name"]: row for row in looker.get("/schedules").table("4 schedules").rows()}
    assert rows["Inventory"]["Type"] == "Maintenance"
    assert rows["Inventory"]["Applies to"] == "Site Augsburg factory"
    assert rows["Inventory"]["Next window"].startswith("Open now")
    assert rows["Nights"]["Applies to"] == "Region Germany"
    assert rows["First of the month"]["Windows"].startswith("Day 1 of the month at ")
    assert rows["Catch up till-05"]["Windows"] == "Once, open-ended"
    assert next(iter(rows)) == "Inventory"


def test_calendar_shows_each_window_on_its_day(shared: World, looker: Browser) -> None:
    calendar = looker.get("/schedules").table("Windows of the next weeks; times are in UTC")
    heads = [head.text for head in calendar.all("th")]
    assert heads == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    days = calendar.all("td")
    assert len(days) == 35
    assert len(calendar.all("td", class_="today")) == 1
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    for number, day in enumerate(days):
        nights = [one for one in day.all("a") if "Nights" in one.text]
        assert len(nights) == (1 if (monday + timedelta(days=number)).weekday() < 5 else 0)
    assert len([one for one in calendar.all("a") if "Catch up till-05" in one.text]) == 1
    link = next(one for one in calendar.all("a") if "Nights" in one.text)
    assert link["href"] == f"/schedules/{shared.fleet.schedules['Nights'].id}"


def test_form_says_and_shows_before_anything_is_saved(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser),
        name="Stocktaking", zone="Europe/Berlin", date=in_days(3), at="22:00",
        end_date=in_days(4), end_at="02:00", step="show",
    )  # fmt: skip
    assert page.title == "Save schedule?"
    assert "Stocktaking: OS Update on site Berlin store 3." in page.document.text
    (row,) = page.table("The window").rows()
    assert "22:00\N{EN DASH}02:00 CE" in row["In Europe/Berlin"]
    assert row["In UTC"].endswith("UTC")
    assert not singles(lively, "Stocktaking")
    page = save(browser, page)
    assert page.path == "/schedules"
    assert page.message == "Schedule Stocktaking is saved."
    (saved,) = singles(lively, "Stocktaking")
    opens = datetime.fromtimestamp(saved.start_s, BERLIN)
    assert f"{opens:%Y-%m-%d %H:%M}" == f"{in_days(3)} 22:00"
    assert saved.end_s > saved.start_s
    assert saved.site_id == lively.fleet.sites["Berlin store 3"].id
    assert saved.schedule_status is ScheduleStatus.OS_UPDATE


def test_open_ended_window(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser),
        name="From now on",
        date=in_days(1),
        open_ended="yes",
        step="show",
    )
    (row,) = page.table("The window").rows()
    assert row["In UTC"].endswith("open-ended")
    save(browser, page)
    (saved,) = singles(lively, "From now on")
    assert saved.end_s == 0


def test_repeated_window_shows_the_next_five_in_local_time(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser),
        name="Weekends", type="week", zone="Asia/Tokyo", at="03:30", week_day=["6", "0"],
        hours="2", minutes="15", step="show",
    )  # fmt: skip
    rows = page.table("The next 5 windows").rows()
    assert len(rows) == 5
    for row in rows:
        assert row["In Asia/Tokyo"].startswith(("Sat", "Sun"))
        assert row["In Asia/Tokyo"].endswith("03:30\N{EN DASH}05:45 JST")
        assert row["In UTC"].startswith(("Fri", "Sat"))
        assert row["In UTC"].endswith("18:30\N{EN DASH}20:45 UTC")
    assert "It repeats by UTC" not in page.document.text
    save(browser, page)
    (saved,) = repeateds(lively, "Weekends")
    assert (saved.cron_minutes, saved.cron_hours, saved.cron_day_week) == ("30", "18", "5,6")
    assert (saved.cron_day_month, saved.cron_month, saved.duration_s) == ("*", "*", 8100)


def test_form_says_that_it_repeats_by_utc_where_clocks_change(
    lively: World, browser: Browser
) -> None:
    page = browser.submit(
        new_form(lively, browser),
        type="month", zone="Europe/Berlin", at="12:00", month_days="1, 15", month=["6", "12"],
        step="show",
    )  # fmt: skip
    assert "When the clocks change in Europe/Berlin" in page.document.text
    rows = [row["In Europe/Berlin"] for row in page.table("The next 5 windows").rows()]
    said = [row for row in rows if "by the clock" in row]
    # June and December have different offsets: of each pair of months one drifts
    assert said
    assert all("1 h earlier" in row or "1 h later" in row for row in said)
    assert len(said) < len(rows)


def test_short_window_is_advised_against(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser), type="week", week_day="1", hours="0", minutes="9", step="show"
    )
    assert "shorter than 10 minutes" in page.document.text
    page = browser.submit(
        new_form(lively, browser), type="week", week_day="1", hours="", minutes="10", step="show"
    )
    assert "shorter than 10 minutes" not in page.document.text


def test_cron_fields_in_utc(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser),
        name="By cron", type="cron", cron_minutes="0,30", cron_hours="1, 2", step="show",
        hours="0", minutes="20",
    )  # fmt: skip
    save(browser, page)
    (saved,) = repeateds(lively, "By cron")
    assert (saved.cron_minutes, saved.cron_hours, saved.duration_s) == ("0,30", "1,2", 1200)
    page = browser.get(f"/schedules/{saved.id}")
    values = page.form(f"/schedules/{saved.id}").values()
    assert values["type"] == "cron"
    assert values["cron_hours"] == "1,2"
    rows = {row["Name"]: row for row in browser.get("/schedules").table("schedules, by").rows()}
    assert rows["By cron"]["Windows"] == "Cron 0,30 1,2 * * * in UTC, for 20 min"


def test_date_that_never_comes_is_said(lively: World, browser: Browser) -> None:
    page = browser.submit(
        new_form(lively, browser),
        type="cron", cron_day_month="31", cron_month="2", cron_hours="1", cron_minutes="0",
        step="show",
    )  # fmt: skip
    assert "No window will ever open" in page.document.text


def test_change_goes_back_to_the_form_with_all_that_was_entered(
    lively: World, browser: Browser
) -> None:
    page = browser.submit(
        new_form(lively, browser),
        name="Later", type="week", week_day=["1", "3"], at="04:00", month=["2"], step="show",
    )  # fmt: skip
    page = browser.submit(page.form("/schedules/new"), step="change")
    values = page.form("/schedules/new").values()
    assert page.title == "New schedule"
    assert values["name"] == "Later"
    assert values["week_day"] == ["1", "3"]
    assert values["month"] == "2"
    assert values["at"] == "04:00"
    assert not repeateds(lively, "Later")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "<b>"}, "Maintenance Name: letters, digits, spaces"),
        ({"name": "x" * 51}, "Maintenance Name: it has more than 50 characters."),
        ({"status": "SCHEDULE_STATUS_UNSPECIFIED"}, "Maintenance Type: choose one"),
        ({"status": "nonsense"}, "Maintenance Type: choose one"),
        ({"zone": "Mars/Phobos"}, "Time Zone: choose one of the list."),
        ({"type": "nonsense"}, "Schedule Type: choose one of the list."),
        ({"date": "2020-01-01", "end_date": "2030-01-01"}, "Start: it lies in the past."),
        ({"date": "tomorrow"}, "Start Date: a date, such as"),
        ({"at": "25:00"}, "Start: a time of day, such as"),
        ({"end_date": "2020-01-01"}, "End: it is not after the start."),
        ({"type": "week"}, "Days: choose at least one day of the week."),
        ({"type": "week", "week_day": "7"}, "Days: numbers from 0 to 6."),
        ({"type": "month"}, "Days: name at least one day of the month"),
        ({"type": "month", "month_days": "32"}, "Days: numbers from 1 to 31."),
        ({"type": "month", "month_days": "first"}, "Days: numbers from 1 to 31."),
        ({"type": "week", "week_day": "1", "hours": "0"}, "Duration: more than nothing"),
        ({"type": "week", "week_day": "1", "minutes": "1", "hours": "24"}, "at most 24 hours"),
        ({"type": "week", "week_day": "1", "hours": "many"}, "Duration, hours: it is a whole"),
        ({"type": "cron", "cron_minutes": "*/5"}, "Minutes: * or numbers in range"),
        ({"target_kind": "host", "target_host": "nobody"}, "Host: there is none named “nobody”."),
        ({"target_kind": "region"}, "Applies to: choose a region."),
        ({"target_kind": "planet"}, "Applies to: choose one of the list."),
        ({"target_kind": "site", "target_site": "site-00000000"}, "There is no site-00000000"),
    ],
)
@pytest.mark.parametrize("step", ["show", "save"])
def test_wrong_schedule_is_refused_with_the_field(
    shared: World, looker: Browser, step: str, fields: dict[str, str], reason: str
) -> None:
    page = looker.submit(new_form(shared, looker), **{"name": "tried", "step": step, **fields})
    assert page.status in {400, 404}
    assert reason in page.message
    assert page.form("/schedules/new").values()["name"] == fields.get("name", "tried")
    assert not singles(shared, "tried")
    assert not repeateds(shared, "tried")


def test_time_that_never_comes_is_refused(lively: World, browser: Browser) -> None:
    spring = next_change(forward=True)
    page = browser.submit(
        new_form(lively, browser),
        zone="Europe/Berlin", date=spring, at="02:30", end_date=spring, end_at="05:00", step="show",
    )  # fmt: skip
    assert page.was_refused
    assert "02:30 never comes" in page.message


def test_time_that_comes_twice_has_to_be_told_apart(lively: World, browser: Browser) -> None:
    autumn = next_change(forward=False)
    page = browser.submit(
        new_form(lively, browser), name="Twice",
        zone="Europe/Berlin", date=autumn, at="02:30", end_date=autumn, end_at="05:00", step="show",
    )  # fmt: skip
    assert "02:30 comes twice" in page.message
    group = page.document.one("div", aria_label="Start: which of the two")
    assert [one.text for one in group.all("label")] == ["The first", "The second"]
    starts = []
    for fold in ("0", "1"):
        shown = browser.submit(page.form("/schedules/new"), fold_Start=fold, step="show")
        assert shown.title == "Save schedule?"
        save(browser, shown)
        starts = [row.start_s for row in singles(lively, "Twice")]
    assert max(starts) - min(starts) == 3600
    second = max(singles(lively, "Twice"), key=lambda row: row.start_s)
    browser.submit(browser.get("/account").form("/account/time-zone"), zone="Europe/Berlin")
    again = browser.get(f"/schedules/{second.id}").form(f"/schedules/{second.id}")
    assert again.values()["fold_Start"] == "1"


def next_change(*, forward: bool) -> str:
    """The day on which clocks in Berlin are put forward or back, a year ahead at most."""
    day = datetime.now(UTC)
    while True:
        day += timedelta(days=1)
        before, after = (
            (day + timedelta(hours=h)).astimezone(BERLIN).utcoffset() for h in (-24, 0)
        )
        assert before is not None
        assert after is not None
        if before != after and (after > before) is forward:
            # the last Sunday of the month, on which the change falls
            local = day.astimezone(BERLIN).date()
            while local.weekday() != 6:
                local -= timedelta(days=1)
            return str(local)


@pytest.mark.parametrize("name", ["Nights", "First of the month", "Catch up till-05"])
def test_form_of_a_schedule_means_the_same_schedule(
    lively: World, browser: Browser, name: str
) -> None:
    known = lively.fleet.schedules[name]
    action = f"/schedules/{known.id}"
    page = browser.get(action)
    assert page.title == "Edit schedule"
    page = browser.submit(page.form(action), step="show")
    assert page.title == "Save schedule?", page.message
    page = save(browser, page, action)
    assert page.message == f"Schedule {name} is saved."
    with lively.database.reading() as session:
        row = session.get_one(type(known), known.id)
        for column in type(known).__table__.columns:
            if column.name not in {"version", "updated_s"}:
                assert getattr(row, column.name) == getattr(known, column.name), column.name


def test_schedule_is_changed(lively: World, browser: Browser) -> None:
    known = lively.fleet.schedules["Nights"]
    action = f"/schedules/{known.id}"
    page = browser.submit(
        browser.get(action).form(action),
        name="Long nights", hours="6", target_kind="host", target_host="till-01", step="show",
    )  # fmt: skip
    save(browser, page, action)
    (row,) = repeateds(lively, "Long nights")
    assert row.id == known.id
    assert row.duration_s == 6 * 3600
    assert (row.host_id, row.region_id) == (lively.fleet.hosts["till-01"].id, None)


def test_single_schedule_that_is_open_can_still_be_ended(lively: World, browser: Browser) -> None:
    known = lively.fleet.schedules["Inventory"]
    assert isinstance(known, SingleSchedule)
    action = f"/schedules/{known.id}"
    later = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    page = browser.submit(browser.get(action).form(action), end_date=later, step="show")
    page = save(browser, page, action)
    assert page.message == "Schedule Inventory is saved."
    (saved,) = singles(lively, "Inventory")
    # the form has minutes: a start in between stays, and is not taken for another one
    assert saved.start_s == known.start_s
    assert saved.end_s > known.end_s


def test_two_operators_do_not_overwrite_each_other(lively: World, browser: Browser) -> None:
    known = lively.fleet.schedules["Nights"]
    action = f"/schedules/{known.id}"
    mine = browser.submit(browser.get(action).form(action), hours="5", step="show")
    theirs = browser.submit(browser.get(action).form(action), hours="6", step="show")
    assert not save(browser, theirs, action).was_refused
    page = save(browser, mine, action)
    assert page.status == 409
    assert "Somebody else has changed this schedule meanwhile" in page.message
    (row,) = repeateds(lively, "Nights")
    assert row.duration_s == 6 * 3600


def test_single_stays_single(lively: World, browser: Browser) -> None:
    known = lively.fleet.schedules["Catch up till-05"]
    action = f"/schedules/{known.id}"
    page = browser.submit(
        browser.get(action).form(action), type="week", week_day="1", hours="1", step="save"
    )
    assert page.message == "Schedule Type: make another schedule to change it."


def test_schedule_is_deleted(lively: World, browser: Browser) -> None:
    known = lively.fleet.schedules["Nights"]
    page = browser.submit(browser.get("/schedules").form(f"/schedules/{known.id}/delete"))
    assert page.message == "Schedule Nights is deleted."
    assert not repeateds(lively, "Nights")
    assert browser.get(f"/schedules/{known.id}").status == 404


def test_form_for_a_host_or_a_region_knows_it(shared: World, looker: Browser) -> None:
    host = shared.fleet.hosts["till-05"]
    values = looker.get(f"/schedules/new?host={host.id}").form("/schedules/new").values()
    assert (values["target_kind"], values["target_host"]) == ("host", "till-05")
    region = shared.fleet.regions["Bavaria"]
    values = looker.get(f"/schedules/new?region={region.id}").form("/schedules/new").values()
    assert (values["target_kind"], values["target_region"]) == ("region", region.id)


def test_schedule_often_on_a_day_does_not_fill_the_calendar(
    lively: World, browser: Browser
) -> None:
    with lively.database.writing() as session:
        session.add(
            RepeatedSchedule(
                project_uuid=lively.fleet.project.uuid,
                site_id=lively.fleet.sites["Berlin store 3"].id,
                name="Each minute",
                schedule_status=ScheduleStatus.OS_UPDATE,
                duration_s=30,
                cron_minutes="*",
                cron_hours="*",
                cron_day_month="*",
                cron_month="*",
                cron_day_week="*",
            )
        )
    calendar = browser.get("/schedules").table("Windows of the next weeks")
    for day in calendar.all("td"):
        assert len([one for one in day.all("a") if "Each minute" in one.text]) <= 3
        assert [one for one in day.all("a") if "Each minute" in one.text]
