"""Hours, days and years in the listener's time zone."""

from datetime import date, datetime

from tests.integration.loader.reporting.stage import a_play, plays_at


def hours(reporting):
    return reporting.shown("listening_by_hour", "listened_date", "hour", "plays_all")


def test_the_hour_that_a_clock_skips_has_no_plays(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(*plays_at("2024-03-31T00:59:59.999Z", "2024-03-31T01:00:00Z"))

    assert hours(reporting) == [[date(2024, 3, 31), 1, 1], [date(2024, 3, 31), 3, 1]]


def test_the_hour_that_a_clock_repeats_has_both(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(*plays_at("2024-10-27T00:30Z", "2024-10-27T01:30Z", "2024-10-27T02:00Z"))

    assert hours(reporting) == [[date(2024, 10, 27), 2, 2], [date(2024, 10, 27), 3, 1]]
    assert reporting.shown("plays", "listened_at_local") == [
        [datetime.fromisoformat("2024-10-27T02:30")], [datetime.fromisoformat("2024-10-27T02:30")],
        [datetime.fromisoformat("2024-10-27T03:00")],
    ]  # fmt: skip


def test_days_begin_at_the_local_midnight_before_and_after_a_clock_change(reporting):
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


def test_a_zone_of_half_hours_has_its_own_midnight(reporting):
    reporting.listen_in("Asia/Kolkata")
    reporting.store(*plays_at("2024-05-31T18:29:59.999Z", "2024-05-31T18:30Z"))

    assert hours(reporting) == [[date(2024, 5, 31), 23, 1], [date(2024, 6, 1), 0, 1]]


def test_a_clock_that_moves_by_half_an_hour(reporting):
    reporting.listen_in("Australia/Lord_Howe")
    reporting.store(
        *plays_at(
            "2024-04-06T14:45Z",  # 01:45, 11 hours ahead of UTC
            "2024-04-06T15:15Z",  # 01:45 again, 10.5 hours ahead
            "2024-10-05T15:29Z",  # 01:59, 10.5 hours ahead
            "2024-10-05T15:30Z",  # 02:30, 11 hours ahead
        )
    )

    assert hours(reporting) == [
        [date(2024, 4, 7), 1, 2], [date(2024, 10, 6), 1, 1], [date(2024, 10, 6), 2, 1],
    ]  # fmt: skip


def test_a_listener_without_a_zone_uses_utc(reporting):
    reporting.listen_in("Asia/Kolkata", listener="zoe")
    reporting.store(*plays_at("2024-05-31T23:59:59.999Z", "2024-06-01T00:00Z"))

    assert hours(reporting) == [[date(2024, 5, 31), 23, 1], [date(2024, 6, 1), 0, 1]]


def test_a_play_that_ends_at_midnight_belongs_to_the_new_day(reporting):
    reporting.store(a_play("2024-06-01T00:00Z", ms=180_000), a_play("2024-05-31T23:59:59.999Z"))

    assert reporting.shown(
        "plays", "listened_date", "listened_month", "hour", "weekday", "started_at"
    ) == [
        [date(2024, 5, 31), date(2024, 5, 1), 23, 5,
         datetime.fromisoformat("2024-05-31T23:56:39.999+00:00")],
        [date(2024, 6, 1), date(2024, 6, 1), 0, 6,
         datetime.fromisoformat("2024-05-31T23:57+00:00")],
    ]  # fmt: skip


def test_a_year_begins_at_the_local_midnight(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(*plays_at("2023-12-31T22:59:59.999Z", "2023-12-31T23:00Z"))

    assert reporting.shown("year_review", "listened_year", "plays_all", "previous_plays_all") == [
        [2023, 1, None], [2024, 1, 1],
    ]  # fmt: skip


def test_a_leap_day_is_a_day(reporting):
    reporting.store(*plays_at("2024-02-28T12:00Z", "2024-02-29T12:00Z", "2024-03-01T12:00Z"))

    assert reporting.shown("streaks", "counting_rule", "first_date", "last_date", "days")[0] == [
        "30s", date(2024, 2, 28), date(2024, 3, 1), 3,
    ]  # fmt: skip
    assert reporting.shown("month_review", "listened_month", "days_with_plays") == [
        [date(2024, 2, 1), 2], [date(2024, 3, 1), 1],
    ]  # fmt: skip


def test_a_common_year_has_no_leap_day(reporting):
    reporting.store(*plays_at("2023-02-28T12:00Z", "2023-03-01T12:00Z"))

    assert reporting.shown("streaks", "counting_rule", "days")[0] == ["30s", 2]
