"""Sessions: plays that follow each other without a pause."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play


def test_a_pause_of_more_than_half_an_hour_ends_a_session(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", ms=60_000),
        a_play("2024-05-15T12:31Z", ms=60_000),
        a_play("2024-05-15T13:02:00.001Z", ms=60_000),
    )

    assert reporting.shown("sessions", "started_at", "ended_at", "plays_all", "length_minutes") == [
        [NOON - MINUTE, NOON + 31 * MINUTE, 2, Decimal("32.00")],
        [NOON + 61 * MINUTE + timedelta(milliseconds=1),
         NOON + 62 * MINUTE + timedelta(milliseconds=1), 1, Decimal("1.00")],
    ]  # fmt: skip


def test_a_session_counts_in_the_day_month_and_year_of_its_start(reporting):
    reporting.listen_in("Europe/Berlin")
    reporting.store(
        *[a_play(f"2023-12-31T{time}Z", ms=60_000) for time in ("22:40", "22:59:30", "23:20")],
        a_play("2023-12-31T23:45Z", "live", ms=None),
    )

    assert reporting.shown(
        "sessions", "started_at_local", "listened_date", "listened_month", "hour", "weekday",
        "plays_all", "ms", "ms_estimated",
    ) == [
        [datetime.fromisoformat("2023-12-31T23:39"), date(2023, 12, 31), date(2023, 12, 1), 23, 7,
         4, 390_000, 210_000],
    ]  # fmt: skip


def test_a_session_that_starts_before_midnight_counts_on_the_day_of_its_start(reporting):
    reporting.store(a_play("2024-06-01T00:01Z", ms=120_000), a_play("2024-06-01T00:20Z", "b"))

    assert reporting.shown("sessions", "listened_date", "listened_month", "hour", "plays_all") == [
        [date(2024, 5, 31), date(2024, 5, 1), 23, 2]
    ]
    assert reporting.shown("listening_by_hour", "listened_date", "hour", "plays_all") == [
        [date(2024, 6, 1), 0, 2]
    ]


def test_a_session_can_span_more_than_a_month(reporting):
    fifteen_days = 15 * 24 * 3_600_000
    reporting.store(
        a_play("2024-01-31T23:59Z"),
        a_play("2024-02-15T23:30Z", "endless", ms=fifteen_days),
        a_play("2024-03-01T23:50Z", "endless", ms=fifteen_days),
        a_play("2024-03-02T02:00Z"),
    )

    assert reporting.shown("sessions", "listened_month", "plays_all") == [
        [date(2024, 1, 1), 3], [date(2024, 3, 1), 1],
    ]  # fmt: skip


def test_simultaneous_plays_form_one_session_ordered_by_uri(reporting):
    reporting.store(a_play(NOON, "b", ms=60_000), a_play(NOON, "a", ms=120_000))

    assert reporting.shown("sessions", "started_at", "plays_all") == [[NOON - 2 * MINUTE, 2]]


def test_a_play_of_another_listener_does_not_continue_a_session(reporting):
    reporting.store(
        a_play(NOON), a_play(NOON + 20 * MINUTE, listener="zoe"), a_play(NOON + 50 * MINUTE)
    )

    assert reporting.shown("sessions", "plays_all") == [[1], [1]]


def test_a_change_of_time_zone_can_move_a_session_to_another_month(reporting):
    reporting.listen_in("Pacific/Kiritimati")  # 14 hours ahead of UTC
    reporting.store(a_play("2024-05-31T10:30Z"))

    assert reporting.shown("sessions", "listened_month", "plays_all") == [[date(2024, 6, 1), 1]]

    reporting.listen_in("Pacific/Pago_Pago")  # 11 hours behind

    assert reporting.shown("sessions", "listened_month", "plays_all") == [[date(2024, 5, 1), 1]]
