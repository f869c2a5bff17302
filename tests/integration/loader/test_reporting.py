"""The views of what is known: listeners, open gaps, the health of each day."""

import json
from datetime import UTC, date, datetime, time, timedelta

import pytest

DAY_S = 86_400


@pytest.fixture
def today(owner) -> date:
    """The current day in UTC."""
    ((day,),) = owner.run("SELECT (now() AT TIME ZONE 'UTC')::date")
    return day


@pytest.fixture
def at(today):
    """Return an instant so many days ago, at an hour of the day in UTC."""

    def instant(days_ago: int, hour: float = 0) -> datetime:
        midnight = datetime.combine(today - timedelta(days=days_ago), time(), UTC)
        return midnight + timedelta(hours=hour)

    return instant


@pytest.fixture
def played(database):
    """Store a play, as the loader does."""

    def play(played_at, source="recently-played", listener="me", track="a"):
        database.run(
            "INSERT INTO listening_history "
            "(track_uri, track_name, artist_name, played_at, listener, source) "
            "VALUES (:track, 'Boats', 'The Example', :played_at, :listener, :source)",
            track=track, played_at=played_at, listener=listener, source=source,
        )  # fmt: skip

    return play


@pytest.fixture
def polled(database):
    def poll(polled_at, late=0, listener="me"):
        database.run(
            "INSERT INTO poll VALUES (:origin, :listener, :polled_at, 50, 1, :late, 0, 0)",
            origin=f"polls/{listener}/{polled_at}",
            listener=listener, polled_at=polled_at, late=late,
        )  # fmt: skip

    return poll


@pytest.fixture
def watched(polled, at):
    """Poll from the start of a day until now, as live capture without an outage."""

    def watch(days_ago):
        polled(at(days_ago))
        polled(datetime.now(UTC))

    return watch


@pytest.fixture
def uploaded(database):
    """Store the report of an upload with so many batches, and its loaded batches."""

    def upload(*spans, batches=1, loaded=1, listener="me"):
        origin = f"history/{listener}/{spans[0][0]}.zip"
        covered = [{"started_at": str(start), "ended_at": str(end)} for start, end in spans]
        database.run(
            "INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, "
            "quarantined, files, problems, spans) "
            "VALUES (:origin, :listener, :batches, 0, 0, '{}', '{}', '[]', '[]', :spans)",
            origin=origin, listener=listener, batches=batches, spans=json.dumps(covered),
        )  # fmt: skip
        database.run(
            "INSERT INTO loaded_batch "
            "SELECT :origin, n, :listener, 0, 0, 0, 0, 0 FROM generate_series(1, :loaded) n",
            origin=origin, listener=listener, loaded=loaded,
        )  # fmt: skip

    return upload


@pytest.fixture
def gap(database):
    def store(started_at, ended_at, listener="me", closed_until=None, closed_at=None):
        database.run(
            "INSERT INTO gap (listener, started_at, ended_at, reason, origin, closed_until, "
            "closed_at) VALUES (:listener, :started_at, :ended_at, 'no answer', 'outages/me', "
            ":closed_until, :closed_at)",
            listener=listener, started_at=started_at, ended_at=ended_at, closed_until=closed_until,
            closed_at=closed_at,
        )  # fmt: skip

    return store


@pytest.fixture
def reader(database, connect):
    """Connect as role reader in a zone far from UTC."""
    database = connect("reader")
    database.run("SET TimeZone TO 'Pacific/Kiritimati'")
    return database


@pytest.fixture
def health(reader):
    """Read columns of reporting.data_health, the days in order."""

    def read(*columns, listener="me"):
        return reader.run(
            f"SELECT {', '.join(columns)} FROM reporting.data_health "  # noqa: S608 - our words
            "WHERE listener = :listener ORDER BY day",
            listener=listener,
        )

    return read


def test_every_day_from_the_first_play_to_today_is_a_row(health, played, at, today):
    played(at(3, 23.99))
    played(at(1))

    assert health("day", "plays") == [
        [today - timedelta(days=3), 1],
        [today - timedelta(days=2), 0],
        [today - timedelta(days=1), 1],
        [today, 0],
    ]


def test_the_days_start_with_a_poll_if_it_was_first(health, polled, played, at, today):
    polled(at(2, 1))
    played(at(1))

    assert health("day", "polls") == [
        [today - timedelta(days=2), 1],
        [today - timedelta(days=1), 0],
        [today, 0],
    ]


def test_without_a_play_or_a_poll_there_is_no_day(health):
    assert health("day") == []


def test_plays_are_counted_by_source(health, played, at):
    for n, source in enumerate(["recently-played", "extended-history", "both", "both"]):
        played(at(1, n), source)
    played(at(0), "extended-history")

    assert health("plays", "live_plays", "export_plays", "both_plays") == [
        [4, 1, 1, 2],
        [1, 0, 1, 0],
    ]


def test_late_plays_count_on_the_day_of_the_poll_that_found_them(health, polled, at):
    polled(at(1, 1), late=2)
    polled(at(1, 2), late=3)
    polled(at(0), late=7)

    assert health("polls", "late_plays") == [[2, 5], [1, 7]]


def test_each_listener_has_their_own_days(health, played, polled, gap, at):
    played(at(1))
    polled(at(0), listener="zoe")
    gap(at(1), at(1, 6), listener="zoe")

    assert health("plays", "polls", "open_gap_s") == [[1, 0, 0], [0, 0, 0]]
    assert health("plays", "polls", listener="zoe") == [[0, 1]]


def test_listeners_are_known_by_a_play_or_a_poll(reader, played, polled, at):
    played(at(1))
    played(at(0), listener="jane")
    polled(at(0, 1), listener="jane")
    polled(at(0), listener="zoe")

    assert reader.run("TABLE reporting.listener ORDER BY 1") == [
        ["jane", at(0), at(0), at(0, 1), at(0, 1)],
        ["me", at(1), at(1), None, None],
        ["zoe", at(0), None, at(0), at(0)],
    ]


def test_unobserved_time_is_unknown(health, played, at):
    played(at(2))
    played(at(1))

    assert health("known_s", "open_gap_s", "coverage") == [[0, 0, 0]] * 3


def test_between_an_export_and_the_first_poll_nothing_is_known(
    health, uploaded, played, watched, at
):
    played(at(4))
    uploaded((at(4), at(3, 6)))
    watched(1)

    assert health("known_s", "coverage")[:4] == [[DAY_S, 1], [21_600, 0.25], [0, 0], [DAY_S, 1]]


def test_time_between_the_first_and_last_poll_is_known(health, polled, at):
    polled(at(3, 18))
    polled(at(1, 6))

    assert health("known_s", "coverage") == [[21_600, 0.25], [DAY_S, 1], [21_600, 0.25], [0, 0]]


def test_an_upload_and_polls_that_overlap_count_each_second_once(health, uploaded, polled, at):
    uploaded((at(2), at(2, 12)), (at(2, 6), at(2, 18)))
    polled(at(2))
    polled(at(2, 15))

    assert health("known_s")[0] == [18 * 3_600]


def test_an_upload_counts_once_it_is_complete(health, uploaded, played, at):
    played(at(2))
    uploaded((at(2), at(2, 12)), batches=2)
    uploaded((at(1), at(1, 12)), batches=2, loaded=2)

    assert health("coverage")[:2] == [[0], [0.5]]


def test_an_upload_of_another_listener_does_not_count(health, uploaded, played, at):
    played(at(1))
    uploaded((at(1), at(1, 12)), listener="zoe")

    assert health("known_s") == [[0], [0]]


def test_an_open_gap_reduces_each_day_it_touches(health, watched, gap, at):
    watched(3)
    gap(at(3, 18), at(1, 6))

    assert health("open_gap_s", "coverage")[:3] == [[21_600, 0.75], [DAY_S, 0], [21_600, 0.75]]


def test_gaps_that_overlap_count_each_second_once(health, watched, gap, at):
    watched(1)
    gap(at(1, 0), at(1, 6))
    gap(at(1, 3), at(1, 9))
    gap(at(1, 12), at(1, 15))

    assert health("open_gap_s", "coverage")[0] == [12 * 3_600, 0.5]


def test_a_gap_without_an_end_lasts_until_now(health, watched, gap, at):
    watched(2)
    gap(at(1, 12), None)

    (before, yesterday, now) = health("open_gap_s", "elapsed_s", "coverage")
    assert (before, yesterday) == ([0, DAY_S, 1], [DAY_S / 2, DAY_S, 0.5])
    assert now == [now[1], now[1], 0]


def test_a_closed_gap_reduces_nothing(health, watched, gap, at):
    watched(1)
    gap(at(1), at(1, 6), closed_at=at(0))

    assert health("open_gap_s", "coverage")[0] == [0, 1]


def test_a_partly_closed_gap_reduces_by_the_rest(health, reader, played, gap, at):
    played(at(1))
    gap(at(1), at(1, 6), closed_until=at(1, 4))

    assert health("open_gap_s")[0] == [2 * 3_600]
    assert reader.run("SELECT started_at, ended_at, goes_on, length_s FROM reporting.open_gap") == [
        [at(1, 4), at(1, 6), False, 7_200]
    ]


def test_a_gap_that_ends_before_its_start_reduces_nothing(health, reader, played, gap, at):
    played(at(1))
    gap(at(1, 6), at(1, 5))

    assert health("open_gap_s")[0] == [0]
    assert reader.run("SELECT length_s FROM reporting.open_gap") == [[0]]


def test_today_has_only_the_seconds_that_have_passed(health, reader, played, at):
    played(at(1))

    (yesterday, today) = health("elapsed_s")
    ((passed,),) = reader.run(
        "SELECT extract(epoch FROM now() - date_trunc('day', now(), 'UTC'))::float"
    )
    assert yesterday == [DAY_S]
    assert today == [pytest.approx(passed, abs=30)]


def test_features_cover_plays_of_tracks_with_measures(health, database, played, at):
    database.run(
        "INSERT INTO track_features (track_uri, tempo, popularity, source, fetched_at) VALUES "
        "('a', 120, NULL, 'reccobeats', now()), ('b', NULL, 50, 'reccobeats', now())"
    )
    for hour, track in enumerate("aabc"):
        played(at(1, hour), track=track)

    assert health("plays_with_features", "features_coverage") == [[2, 0.5], [0, None]]


def test_columns_have_lower_case_names_and_plain_types(owner):
    columns = owner.run(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'reporting' AND table_name IN ('data_health', 'open_gap', 'listener')"
    )

    flat = {"text", "date", "bigint", "double precision", "boolean", "timestamp with time zone"}
    assert {kind for _, kind in columns} <= flat
    assert all(name == name.lower() for name, _ in columns)
