"""Coverage of each day, and freshness of each listener."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play


def test_view_listening_daily_has_a_row_for_each_day_since_the_first_poll(reporting):
    ((now,),) = reporting.reader.run("SELECT now()")
    # The reader's session is in another zone, in which the date may differ.
    today = now.astimezone(UTC).date()
    reporting.store(a_play(now - timedelta(days=2)))
    reporting.poll(now - timedelta(days=3), now - timedelta(days=1))

    days = reporting.shown("listening_daily", "listened_date", "weekday", "plays_all", "minutes")
    assert days == [
        [day, day.isoweekday(), count, minutes]
        for day, count, minutes in [
            (today - timedelta(days=3), 0, Decimal("0.00")),
            (today - timedelta(days=2), 1, Decimal("3.33")),
            (today - timedelta(days=1), 0, Decimal("0.00")),
            (today, 0, Decimal("0.00")),
        ]
    ]


@pytest.mark.parametrize(
    ("day", "starts", "gap_hours", "known"),
    [
        ("2024-03-31", "2024-03-30T23:00Z", 11.5, "0.5"),  # 23 hours long
        ("2024-10-27", "2024-10-26T22:00Z", 12.5, "0.5"),  # 25 hours long
        ("2024-05-15", "2024-05-14T22:00Z", 6, "0.75"),
    ],
)
def test_daily_coverage_is_the_share_of_the_local_day_outside_open_gaps(
    reporting, day, starts, gap_hours, known
):
    start = datetime.fromisoformat(starts)
    reporting.listen_in("Europe/Berlin")
    reporting.poll(start - timedelta(days=1), start + timedelta(days=3))
    reporting.gap(start, start + timedelta(hours=gap_hours))

    columns = ("listened_date", "coverage", "has_open_gap", "is_at_least")
    days = {day: rest for day, *rest in reporting.shown("listening_daily", *columns)}
    day = date.fromisoformat(day)
    assert days[day] == [Decimal(known), True, True]
    assert days[day - timedelta(days=1)] == [1, False, False]
    assert days[day + timedelta(days=1)] == [1, False, False]


def test_time_without_polls_or_exports_has_no_coverage_and_no_gap(reporting):
    reporting.store(a_play("2024-05-15T12:00Z"))

    columns = ("coverage", "has_open_gap", "is_at_least")
    assert reporting.shown("listening_daily", *columns)[0] == [0, False, False]


def test_an_upload_adds_coverage_only_once_all_its_batches_are_loaded(reporting):
    reporting.store(a_play("2024-05-15T12:00Z"), a_play("2024-05-16T12:00Z"))
    # This upload has no batches, so it is complete; the other one lacks a batch.
    reporting.report("loaded", 0, ("2024-05-15T06:00Z", "2024-05-15T18:00Z"))
    reporting.report("loading", 1, ("2024-05-16T06:00Z", "2024-05-16T18:00Z"))

    assert reporting.shown("listening_daily", "listened_date", "coverage")[:2] == [
        [date(2024, 5, 15), Decimal("0.5")], [date(2024, 5, 16), 0],
    ]  # fmt: skip


def test_view_freshness_shows_the_last_play_and_poll_and_the_open_gaps(reporting):
    reporting.listen_in("Asia/Kolkata")
    reporting.store(a_play(NOON, ms=300_000), a_play(NOON + 10 * MINUTE, "live", ms=None))
    reporting.store(a_play(NOON, listener="zoe"))
    reporting.poll(NOON, NOON + 20 * MINUTE)
    reporting.gap(NOON, NOON + MINUTE)
    reporting.gap(NOON + MINUTE, None)
    reporting.gap(NOON - MINUTE, NOON, closed_at=NOON)

    columns = ("time_zone", "first_played_at", "last_played_at", "last_polled_at",
               "last_loaded_at", "marked_months", "open_gaps")  # fmt: skip
    assert reporting.shown("freshness", *columns) == [
        ["Asia/Kolkata", NOON, NOON + 10 * MINUTE, NOON + 20 * MINUTE, None, 0, 2]
    ]
    ((share,),) = reporting.shown("freshness", "estimated_share")
    assert share == pytest.approx(Decimal("0.4118"), abs=Decimal("0.0001"))


def test_view_freshness_includes_listeners_without_plays(reporting):
    reporting.poll(NOON)

    assert reporting.shown("freshness", "time_zone", "first_played_at", "estimated_share") == [
        ["UTC", None, None]
    ]
    assert reporting.shown("listening_daily", "listened_date", "plays_all")[0] == [
        date(2024, 5, 15), 0
    ]  # fmt: skip
    reporting.compare()


def test_view_freshness_counts_the_months_that_await_a_refresh(reporting):
    reporting.listen_in("UTC")
    reporting.refresh()
    reporting.store(a_play("2024-05-15T12:00Z"), a_play("2024-07-15T12:00Z"))
    waiting = "SELECT marked_months FROM reporting.freshness"

    assert reporting.reader.run(waiting) == [[2]]
    ((left,),) = reporting.database.run("SELECT derived.refresh(1)")
    assert (left, reporting.reader.run(waiting)) == (1, [[1]])
    reporting.refresh()
    assert reporting.reader.run(waiting) == [[0]]
