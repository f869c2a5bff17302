"""Hours, days and years in the listener's time zone."""

from datetime import date, datetime

import pytest

from tests.integration.loader.reporting.stage import a_play, plays_at


@pytest.mark.parametrize(
    ("zone", "instants", "hours"),
    [
        pytest.param(
            "Europe/Berlin",
            ["2024-03-31T00:59:59.999Z", "2024-03-31T01:00:00Z"],
            [[date(2024, 3, 31), 1, 1], [date(2024, 3, 31), 3, 1]],
            id="the hour that a clock skips has no plays",
        ),
        pytest.param(
            "Europe/Berlin",
            ["2024-10-27T00:30Z", "2024-10-27T01:30Z", "2024-10-27T02:00Z"],
            [[date(2024, 10, 27), 2, 2], [date(2024, 10, 27), 3, 1]],
            id="the hour that a clock repeats has the plays of both",
        ),
        pytest.param(
            "Asia/Kolkata",
            ["2024-05-31T18:29:59.999Z", "2024-05-31T18:30Z"],
            [[date(2024, 5, 31), 23, 1], [date(2024, 6, 1), 0, 1]],
            id="a zone of half hours has its own midnight",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            [
                "2024-04-06T14:45Z",  # 01:45, 11 hours ahead of UTC
                "2024-04-06T15:15Z",  # 01:45 again, 10.5 hours ahead
                "2024-10-05T15:29Z",  # 01:59, 10.5 hours ahead
                "2024-10-05T15:30Z",  # 02:30, 11 hours ahead
            ],
            [[date(2024, 4, 7), 1, 2], [date(2024, 10, 6), 1, 1], [date(2024, 10, 6), 2, 1]],
            id="a clock moves by half an hour",
        ),
        pytest.param(
            None,
            ["2024-05-31T23:59:59.999Z", "2024-06-01T00:00Z"],
            [[date(2024, 5, 31), 23, 1], [date(2024, 6, 1), 0, 1]],
            id="a listener without a zone uses UTC",
        ),
    ],
)
def test_a_play_counts_in_the_local_hour_in_which_it_ended(reporting, zone, instants, hours):
    reporting.listen_in(zone or "Asia/Kolkata", listener="me" if zone else "zoe")
    reporting.store(*plays_at(*instants))

    assert reporting.shown("listening_by_hour", "listened_date", "hour", "plays_all") == hours


def test_days_begin_at_local_midnight_around_a_dst_change(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(
        *plays_at(
            "2024-10-26T21:59:59.999Z",  # 23:59:59.999 in summer time
            "2024-10-26T22:00Z",
            "2024-10-27T22:59:59.999Z",  # 23:59:59.999 in standard time
            "2024-10-27T23:00Z",
        )
    )

    assert reporting.shown("listening_daily", "listened_date", "plays_all")[:3] == [
        [date(2024, 10, 26), 1], [date(2024, 10, 27), 2], [date(2024, 10, 28), 1],
    ]  # fmt: skip


def test_a_play_that_ends_at_midnight_counts_on_the_new_day(reporting):
    reporting.store(a_play("2024-06-01T00:00Z", ms=180_000), a_play("2024-05-31T23:59:59.999Z"))

    assert reporting.shown(
        "plays", "listened_date", "listened_month", "hour", "weekday", "started_at"
    ) == [
        [date(2024, 5, 31), date(2024, 5, 1), 23, 5,
         datetime.fromisoformat("2024-05-31T23:56:39.999+00:00")],
        [date(2024, 6, 1), date(2024, 6, 1), 0, 6,
         datetime.fromisoformat("2024-05-31T23:57+00:00")],
    ]  # fmt: skip


def test_a_year_begins_at_local_midnight(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(*plays_at("2023-12-31T22:59:59.999Z", "2023-12-31T23:00Z"))

    assert reporting.shown("year_review", "listened_year", "plays_all", "previous_plays_all") == [
        [2023, 1, None], [2024, 1, 1],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("instants", "days"),
    [
        (["2024-02-28T12:00Z", "2024-02-29T12:00Z", "2024-03-01T12:00Z"], 3),
        (["2023-02-28T12:00Z", "2023-03-01T12:00Z"], 2),
    ],
    ids=["leap year", "common year"],
)
def test_a_streak_counts_a_leap_day(reporting, instants, days):
    reporting.store(*plays_at(*instants))

    assert reporting.shown("streaks", "counting_rule", "days")[0] == ["30s", days]
