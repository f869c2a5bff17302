"""The truth of the fault suite, and that each difference from it is reported."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.chaos.feed import Feed, packed
from tests.chaos.truth import Heard, compare, find_false_gaps, read_export

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAYS = [Heard(f"spotify:track:{number}", START + timedelta(minutes=number)) for number in range(5)]


def rows_of(plays, ms_played=None):
    return [(one, ms_played) for one in plays]


def test_rows_equal_to_the_expected_plays_show_no_difference():
    found = compare(rows_of(PLAYS), {}, PLAYS, PLAYS)

    assert (found.lost, found.doubled, found.alien, found.shortened) == ([], [], [], [])


def test_a_play_that_moved_by_milliseconds_is_not_reported_as_lost():
    moved = [one._replace(at=one.at + timedelta(milliseconds=29)) for one in PLAYS]

    assert compare(rows_of(moved), {}, PLAYS, PLAYS).lost == []


def test_an_expected_play_without_a_row_is_reported_as_lost():
    assert compare(rows_of(PLAYS[1:]), {}, PLAYS, PLAYS).lost == PLAYS[:1]


def test_an_exported_play_without_a_row_is_reported_as_lost():
    assert compare([], {PLAYS[0]: 5}, [], []).lost == PLAYS[:1]


def test_two_rows_of_a_track_within_a_second_are_reported_as_doubled():
    again = PLAYS[0]._replace(at=PLAYS[0].at + timedelta(milliseconds=29))

    assert compare(rows_of([*PLAYS, again]), {}, PLAYS, PLAYS).doubled == [again]


def test_a_row_of_a_play_that_was_never_fed_in_is_reported_as_alien():
    assert compare(rows_of(PLAYS), {}, PLAYS[1:], PLAYS[1:]).alien == PLAYS[:1]


def test_a_row_without_the_longest_exported_ms_played_is_reported_as_shortened():
    assert compare(rows_of(PLAYS[:1], 3), {PLAYS[0]: 5}, [], []).shortened == PLAYS[:1]


def test_two_plays_of_a_track_that_swapped_their_lengths_are_shortened():
    again = PLAYS[0]._replace(at=PLAYS[0].at + timedelta(hours=1))
    swapped = [(PLAYS[0], 5), (again, 3)]

    assert compare(swapped, {PLAYS[0]: 3, again: 5}, [], []).shortened == [PLAYS[0], again]


def test_a_lost_play_outside_all_gaps_is_reported():
    gap = (PLAYS[2].at, PLAYS[4].at)

    untold, false = find_false_gaps(PLAYS, [*PLAYS[:1], *PLAYS[2:3], PLAYS[4]], [gap])

    assert (untold, false) == ([PLAYS[1]], [])


def test_a_gap_without_a_lost_play_is_reported_as_a_false_gap():
    gap = (PLAYS[2].at, None)

    assert find_false_gaps(PLAYS, PLAYS, [gap]) == ([], [gap])


@pytest.mark.parametrize("as_zip", [True, False])
def test_reading_an_export_counts_all_skipped_and_broken_rows(as_zip):
    rows = Feed(Random(1), 1).history(400)  # noqa: S311 - repeatable on purpose

    held = read_export(f"a.{'zip' if as_zip else 'json'}", packed(rows, as_zip=as_zip))

    assert held.rows == 400
    assert held.skipped == sum(not row["spotify_track_uri"] for row in rows)
    assert held.broken == sum(row["ms_played"] == "many" for row in rows)
    assert min(held.skipped, held.broken) > 0
    assert len(held.plays) < held.rows - held.skipped - held.broken


def test_the_longest_ms_played_of_equal_export_records_is_used():
    row = {"ts": "2020-01-01T00:00:00Z", "spotify_track_uri": "spotify:track:1"}

    held = read_export("a.json", json.dumps([row | {"ms_played": ms} for ms in (5, 9, 2)]).encode())

    assert list(held.plays.values()) == [9]
