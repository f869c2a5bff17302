"""The length of a play, the rules that count it, and whether it is a skip."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play, plays_at

RULES = ("plays_all", "plays_30s", "plays_half", "plays_done")


def test_an_estimated_play_length_is_at_most_210_s_if_the_track_length_is_unknown(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "first", ms=None),
        a_play("2024-05-15T12:02Z", "second", ms=None),
        a_play("2024-05-15T12:30Z", "third", ms=None),
    )

    assert reporting.shown("plays", "ended_at", "ms", "minutes", "minutes_are_estimated") == [
        [NOON, 210_000, Decimal("3.5000"), True],
        [NOON + 2 * MINUTE, 120_000, Decimal("2.0000"), True],
        [NOON + 30 * MINUTE, 210_000, Decimal("3.5000"), True],
    ]


def test_an_estimated_play_length_is_between_30_s_and_the_track_length(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "first", ms=None, duration_ms=20_000),
        a_play("2024-05-15T12:10Z", "second", ms=None, duration_ms=250_000),
        a_play("2024-05-15T12:10:10Z", "third", ms=None, duration_ms=250_000),
        a_play("2024-05-15T12:20Z", "fourth", ms=None, duration_ms=0),
    )

    assert reporting.shown("plays", "ended_at", "ms")[0:] == [
        [NOON, 30_000],
        [NOON + 10 * MINUTE, 250_000],
        [NOON + 10 * MINUTE + timedelta(seconds=10), 30_000],
        [NOON + 20 * MINUTE, 30_000],
    ]


def test_a_length_estimate_uses_only_the_same_listeners_previous_play(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "skip", ms=0),
        a_play("2024-05-15T12:01Z", "before", ms=None, listener="zoe"),
        a_play("2024-05-15T12:02Z", "live", ms=None),
        a_play("2024-05-15T12:02Z", "same instant", ms=None),
    )

    assert reporting.shown("plays", "track_name", "ms") == [
        ["Title live", 120_000], ["Title same instant", 120_000], ["Title skip", 0],
    ]  # fmt: skip
    assert reporting.shown("plays", "ms", listener="zoe") == [[210_000]]


def test_a_length_estimate_uses_the_previous_play_even_if_in_another_month(reporting):
    reporting.store(
        a_play("2024-05-31T23:59Z", "may"), a_play("2024-06-01T00:01Z", "june", ms=None)
    )

    assert reporting.shown("tracks_by_month", "track_name", "ms", "ms_estimated") == [
        ["Title june", 120_000, 120_000], ["Title may", 200_000, 0],
    ]  # fmt: skip


def test_the_track_length_comes_from_the_play_or_else_from_features(reporting):
    reporting.know("own", duration_ms=60_000)
    reporting.know("features", duration_ms=60_000)
    reporting.store(
        a_play(NOON, "own", duration_ms=90_000), a_play(NOON, "features"), a_play(NOON, "neither")
    )

    assert reporting.shown("plays", "track_name", "length_ms") == [
        ["Title features", 60_000], ["Title neither", None], ["Title own", 90_000],
    ]  # fmt: skip


def test_a_play_of_0_ms_has_a_known_length_not_an_estimated_one(reporting):
    reporting.store(a_play(NOON, ms=0))

    assert reporting.shown("plays", "ms", "minutes", "minutes_are_estimated", *RULES) == [
        [0, Decimal("0.0000"), False, 1, 0, 0, 0]
    ]
    assert reporting.shown("artists", "minutes", "minutes_estimated") == [
        [Decimal("0.00"), Decimal("0.00")]
    ]


def test_minutes_are_rounded_only_after_summing(reporting):
    reporting.store(*plays_at(*[f"2024-05-15T12:0{n}Z" for n in range(3)], ms=100))

    # 3 x 100 ms are 0.005 minutes; each alone would round to 0.
    assert reporting.shown("listening_by_hour", "ms", "minutes") == [[300, Decimal("0.01")]]


@pytest.mark.parametrize(
    ("ms", "length_ms", "reason_end", "counts"),
    [
        (29_999, 200_000, None, [1, 0, 0, 0]),
        (30_000, 200_000, None, [1, 1, 0, 0]),
        (29_999, 59_998, None, [1, 0, 1, 0]),
        (29_999, 59_999, None, [1, 0, 0, 0]),
        (15_000, 30_000, None, [1, 0, 1, 0]),
        (20_000, 29_999, None, [1, 0, 0, 0]),
        (239_999, 600_000, None, [1, 1, 0, 0]),
        (240_000, 600_000, None, [1, 1, 1, 0]),
        (104_999, None, None, [1, 1, 0, 0]),
        (105_000, None, None, [1, 1, 1, 0]),
        (197_999, 200_000, "fwdbtn", [1, 1, 1, 0]),
        (198_000, 200_000, "fwdbtn", [1, 1, 1, 1]),
        (500_000, None, "fwdbtn", [1, 1, 1, 0]),
        (0, None, "trackdone", [1, 0, 0, 1]),
        (0, 2_000, None, [1, 0, 0, 1]),
    ],
)
def test_each_counting_rule_includes_plays_at_its_threshold(
    reporting, ms, length_ms, reason_end, counts
):
    reporting.store(a_play(NOON, ms=ms, duration_ms=length_ms, reason_end=reason_end))

    assert reporting.shown("plays", *RULES) == [counts]
    assert reporting.shown("albums_by_month", *RULES) == [counts]


@pytest.mark.parametrize(
    ("source", "ms", "skipped", "is_skip"),
    [
        ("recently-played", None, None, None),
        ("extended-history", 29_999, None, True),
        ("extended-history", 29_999, False, True),
        ("extended-history", 30_000, None, False),
        ("both", 200_000, True, True),
        ("both", 200_000, False, False),
    ],
)
def test_a_play_is_known_as_skipped_or_not_skipped_only_from_an_export(
    reporting, source, ms, skipped, is_skip
):
    reporting.store(a_play(NOON, ms=ms, source=source, skipped=skipped))

    assert reporting.shown("plays", "is_skip") == [[is_skip]]


def test_the_skip_rate_ignores_plays_with_no_skip_information(reporting):
    reporting.store(
        *plays_at("2024-05-15T12:00Z", ms=1_000),
        *plays_at("2024-05-16T12:00Z", "2024-05-16T13:00Z"),
        *plays_at("2024-05-17T12:00Z", "2024-06-17T13:00Z", ms=None),
    )

    assert reporting.shown(
        "skips_by_month", "listened_month", "plays_all", "skips", "skips_known"
    ) == [[date(2024, 5, 1), 4, 1, 3], [date(2024, 6, 1), 1, 0, 0]]
    ((may,), (june,)) = reporting.shown("month_review", "skip_rate")
    assert may == pytest.approx(Decimal("0.3333"), abs=Decimal("0.0001"))
    assert june is None
    assert reporting.shown("tracks_by_month", "track_name", "skips", "skips_known") == [
        ["Title t0", 1, 2], ["Title t1", 0, 0], ["Title t1", 0, 1],
    ]  # fmt: skip
