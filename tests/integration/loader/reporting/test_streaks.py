"""Streaks of days with plays, and days that are unknown."""

from datetime import timedelta

import pytest

from tests.integration.loader.reporting.stage import a_play, plays_at


def streaks(reporting, rule="all"):
    columns = ("counting_rule", "first_date", "last_date", "days", "unknown_days")
    return [[first.isoformat(), last.isoformat(), days, unknown]
            for counted, first, last, days, unknown in reporting.shown("streaks", *columns)
            if counted == rule]  # fmt: skip


def test_a_day_without_plays_ends_a_streak(reporting):
    reporting.store(
        *plays_at(
            "2024-05-01T00:00Z", "2024-05-02T23:59Z", "2024-05-02T12:00Z", "2024-05-04T12:00Z"
        )
    )

    assert streaks(reporting) == [
        ["2024-05-01", "2024-05-02", 2, 0], ["2024-05-04", "2024-05-04", 1, 0],
    ]  # fmt: skip


def test_streaks_are_computed_separately_for_each_counting_rule(reporting):
    reporting.store(
        a_play("2024-05-01T12:00Z", ms=30_000),
        a_play("2024-05-02T12:00Z", ms=29_999),
        a_play("2024-05-03T12:00Z", ms=200_000, reason_end="trackdone"),
    )

    assert streaks(reporting) == [["2024-05-01", "2024-05-03", 3, 0]]
    assert streaks(reporting, "30s") == [
        ["2024-05-01", "2024-05-01", 1, 0], ["2024-05-03", "2024-05-03", 1, 0],
    ]  # fmt: skip
    assert streaks(reporting, "half") == [["2024-05-03", "2024-05-03", 1, 0]]
    assert streaks(reporting, "done") == [["2024-05-03", "2024-05-03", 1, 0]]


@pytest.mark.parametrize(
    ("start", "end", "columns", "found"),
    [
        ("2024-05-01T13:00Z", "2024-05-04T11:00Z", {}, [["2024-05-01", "2024-05-04", 2, 2]]),
        # Only the first of the two days in between is unknown.
        ("2024-05-01T13:00Z", "2024-05-03T00:00Z", {}, None),
        ("2024-05-02T23:59Z", "2024-05-03T00:01Z", {}, [["2024-05-01", "2024-05-04", 2, 2]]),
        ("2024-05-03T00:00Z", "2024-05-04T11:00Z", {}, None),
        ("2024-05-01T13:00Z", "2024-05-04T11:00Z", {"closed_at": "2024-05-05T00:00Z"}, None),
        ("2024-05-01T13:00Z", "2024-05-04T11:00Z", {"closed_until": "2024-05-03T00:00Z"}, None),
        ("2024-05-01T13:00Z", "2024-05-04T11:00Z", {"listener": "zoe"}, None),
        ("2024-05-01T13:00Z", None, {}, [["2024-05-01", "2024-05-04", 2, 2]]),
    ],
)
def test_days_in_an_open_gap_do_not_end_a_streak(reporting, start, end, columns, found):
    reporting.store(*plays_at("2024-05-01T12:00Z", "2024-05-04T12:00Z"))
    reporting.gap(start, end, **columns)

    broken = [["2024-05-01", "2024-05-01", 1, 0], ["2024-05-04", "2024-05-04", 1, 0]]
    assert streaks(reporting) == (found or broken)


def test_a_day_with_a_play_counts_in_a_streak_despite_an_open_gap(reporting):
    reporting.store(*plays_at("2024-05-01T12:00Z", "2024-05-02T12:00Z", "2024-05-04T12:00Z"))
    reporting.gap("2024-05-02T11:00Z", "2024-05-04T11:00Z")

    assert streaks(reporting) == [["2024-05-01", "2024-05-04", 3, 1]]


def test_streaks_use_the_local_days_that_an_open_gap_touches(reporting):
    reporting.listen_in("Asia/Kolkata")
    reporting.store(*plays_at("2024-05-01T18:29Z", "2024-05-02T18:30Z"))  # 1 May, 3 May
    reporting.gap("2024-05-02T18:00Z", "2024-05-02T18:30Z")

    assert streaks(reporting) == [["2024-05-01", "2024-05-03", 2, 1]]


@pytest.mark.parametrize(("days_ago", "is_current"), [(0, True), (1, True), (2, False)])
def test_a_streak_that_ended_today_or_yesterday_is_current(reporting, days_ago, is_current):
    ((now,),) = reporting.reader.run("SELECT now()")
    reporting.store(a_play(now - timedelta(days=days_ago)))

    assert reporting.shown("streaks", "is_current") == [[is_current]] * 3


def test_a_streak_stays_current_if_all_days_since_its_end_are_in_an_open_gap(reporting):
    ((now,),) = reporting.reader.run("SELECT now()")
    reporting.store(a_play(now - timedelta(days=5)))
    reporting.gap(now - timedelta(days=5), None)

    assert reporting.shown("streaks", "is_current", "unknown_days") == [[True, 0]] * 3


def test_view_listening_daily_ends_with_today_in_the_listeners_time_zone(reporting):
    ((now,),) = reporting.reader.run("SELECT now()")
    # Two of the zones are 26 hours apart, so their dates differ.
    reporting.store(
        a_play(now, "a"), a_play(now, "b", listener="zoe"), a_play(now, "c", listener="ann")
    )
    reporting.listen_in("Pacific/Kiritimati", listener="zoe")
    reporting.listen_in("Etc/GMT+12", listener="ann")

    for listener in ("me", "zoe", "ann"):
        days = reporting.shown("listening_daily", "plays_all", listener=listener)
        assert days == [[1]]
