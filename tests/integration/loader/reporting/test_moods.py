"""Platforms, contexts, moods and diversity of the plays."""

from datetime import date
from typing import Any

import pytest

from tests.integration.loader.reporting.stage import NOON, a_play, plays_at


def test_view_where_and_how_counts_plays_by_platform_country_and_end_reason(reporting):
    known: dict[str, Any] = {
        "platform": "ios",
        "country": "DE",
        "reason_start": "clickrow",
        "shuffle": False,
    }
    reporting.store(
        a_play("2024-05-15T12:00Z", "a", **known),
        a_play("2024-05-15T13:00Z", "b", **known, reason_end="fwdbtn", ms=0),
        a_play("2024-05-15T14:00Z", "a", **known),
        a_play("2024-05-15T15:00Z", "a", **known | {"shuffle": True}),
        a_play("2024-05-15T16:00Z", "a", ms=None),
    )

    assert reporting.shown(
        "where_and_how", "platform", "country", "reason_end", "shuffle", "incognito", "plays_all",
        "skips", "skips_known",
    ) == [
        ["ios", "DE", "fwdbtn", False, None, 1, 1, 1],
        ["ios", "DE", None, False, None, 2, 0, 2],
        ["ios", "DE", None, True, None, 1, 0, 1],
        [None, None, None, None, None, 1, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("spotify:playlist:37i9", "playlist"),
        ("spotify:user:jane:playlist:37i9", "playlist"),
        ("spotify:album:1", "album"),
        ("spotify:artist:1", "artist"),
        ("spotify:user:jane:collection", "collection"),
        (None, None),
    ],
)
def test_the_context_type_of_a_play_comes_from_its_context_uri(reporting, uri, kind):
    reporting.store(a_play(NOON, ms=None, context_uri=uri))

    assert reporting.shown("where_and_how", "context_type") == [[kind]]
    assert reporting.shown("plays", "context_type") == [[kind]]


def test_mood_averages_are_weighted_by_plays_and_show_the_share_with_features(reporting):
    reporting.know("loud", energy=0.9, tempo=100, mode=1, loudness=-5)
    reporting.know("quiet", energy=0.3, tempo=None, mode=0, loudness=-20)
    reporting.know("only popular", popularity=50)
    reporting.store(
        *[a_play(f"2024-05-{day}T12:00Z", "loud") for day in (1, 2, 3)],
        a_play("2024-05-04T13:00Z", "quiet"),
        a_play("2024-05-05T12:00Z", "unknown"),
        a_play("2024-05-06T12:00Z", "only popular"),
        a_play("2024-06-06T12:00Z", "unknown"),
    )

    columns = ("plays_all", "plays_with_features", "energy", "tempo", "share_major", "valence")
    known = [[None if value is None else float(value) for value in row]
             for row in reporting.shown("mood_by_month", *columns)]  # fmt: skip
    assert known == [[1, 0, None, None, None, None], [6, 4, 0.75, 100, 0.75, None]]
    assert reporting.shown("mood_by_hour", "listened_month", "hour", "plays_with_features") == [
        [date(2024, 5, 1), 12, 3], [date(2024, 5, 1), 13, 1], [date(2024, 6, 1), 12, 0],
    ]  # fmt: skip
    coverage = [float(row[0]) for row in reporting.shown("mood_by_month", "features_coverage")]
    assert coverage == [0, pytest.approx(0.6667, abs=0.0001)]


def test_each_mood_average_skips_plays_whose_feature_is_unknown(reporting):
    reporting.know("loud", energy=0.9)
    reporting.know("quick", energy=0.3, tempo=120)
    reporting.store(
        *[a_play(f"2024-05-{day}T12:00Z", "loud") for day in (1, 2, 3)],
        a_play("2024-05-04T12:00Z", "quick"),
        a_play("2024-05-05T12:00Z", "unknown"),
    )

    columns = ("plays_with_features", "energy_plays", "tempo_plays", "share_major_plays")
    for view in ("mood_by_month", "mood_by_hour"):
        assert reporting.shown(view, *columns) == [[4, 4, 1, 0]]


def test_view_diversity_shows_the_ten_most_played_artists_share_of_plays(reporting):
    reporting.store(
        *plays_at(*[f"2024-05-15T{hour:02}:00Z" for hour in range(11)]),
        *plays_at(*["2024-05-16T12:00Z"]),
        a_play("2024-06-15T12:00Z", "t0"),
        a_play("2024-06-15T13:00Z", "new", artist_name="Artist t0"),
    )

    columns = ("top10_artists_share", "tracks_per_artist", "plays_per_track", "new_tracks_share")
    found = [list(map(float, row)) for row in reporting.shown("diversity", *columns)]
    assert found == [
        [pytest.approx(11 / 12, abs=0.0001), 1, pytest.approx(12 / 11, abs=0.0001), 1],
        [1, 2, 1, 0.5],
    ]
