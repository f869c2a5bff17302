"""The reporting views: their form, and sums that agree with each other."""

from datetime import UTC, datetime, timedelta

import pytest

RULES = ("plays_all", "plays_30s", "plays_half", "plays_done", "ms", "ms_estimated")
OPERATIONS = ("data_health", "import_result", "listener", "open_gap")
PLAIN_TYPES = {
    "bigint", "boolean", "date", "double precision", "integer", "numeric", "text",
    "timestamp with time zone", "timestamp without time zone",
}  # fmt: skip
VIEWS = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'reporting'::regnamespace AND c.relkind = 'v'
ORDER BY 1
"""
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnum
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'reporting'::regnamespace
"""
PLAYS = "(SELECT *, minutes_are_estimated::integer * ms AS ms_estimated FROM reporting.plays) play"
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
def views(owner):
    return [name for (name,) in owner.run(VIEWS) if name not in OPERATIONS]


@pytest.fixture
def columns(owner, views):
    return [row for row in owner.run(COLUMNS) if row[0] in views]


@pytest.fixture
def reader(database, connect):
    """Read as role reader in a zone far from UTC, after a refresh."""
    reader = connect("reader")
    reader.run("SET TimeZone TO 'Pacific/Kiritimati'")

    class Refreshed:
        def run(self, statement):
            assert database.run("SELECT derived.refresh(1000)") == [[0]]
            return reader.run(statement)

    return Refreshed()


@pytest.fixture
def play(database):
    """Store a play, as the loader does."""

    def store(played_at, ms_played=None, listener="me", track="Boats", artist="The Example"):
        source = "recently-played" if ms_played is None else "extended-history"
        database.run(
            "INSERT INTO listening_history (track_uri, track_name, artist_name, album_name, "
            "played_at, ms_played, listener, source) "
            "VALUES (:uri, :track, :artist, 'Sea', :played_at, :ms_played, :listener, :source)",
            uri=f"spotify:track:{track}", track=track, artist=artist,
            played_at=played_at, ms_played=ms_played, listener=listener, source=source,
        )  # fmt: skip

    return store


@pytest.fixture
def many_plays(play):
    """Store plays of 15 months, some of them live, skipped, in sessions or across midnight."""
    for number in range(120):
        play(
            NEW_YEAR + timedelta(days=number * 3.7, minutes=number % 40),
            ms_played=None if number % 3 == 0 else number * 2_500 % 300_000,
            track=f"track {number % 11}",
            artist=f"artist {number % 4}",
            listener="me" if number % 5 else "you",
        )


def sums(reader, rows):
    added = ", ".join(f"sum({rule})::bigint" for rule in RULES)
    return reader.run(
        f"SELECT listener, {added} FROM {rows} GROUP BY 1 ORDER BY 1"  # noqa: S608 - our words
    )


def test_every_view_has_the_listener_first(columns, views):
    assert {view for view, name, _, place in columns if (name, place) == ("listener", 1)} == set(
        views
    )


def test_every_column_has_a_plain_type(columns):
    assert {kind for _, _, kind, _ in columns} <= PLAIN_TYPES


def test_without_plays_every_view_is_empty(reader, views):
    assert [view for view in views if reader.run(f"TABLE reporting.{view}")] == []


def test_one_play_gives_a_row_in_every_view(reader, play, views):
    play(NEW_YEAR)

    answered = {view for view in views if reader.run(f"TABLE reporting.{view}")}

    assert set(views) - answered == {"obsessions", "forgotten_favourites", "together"}


@pytest.mark.parametrize(
    "view",
    [
        "albums", "albums_by_month", "artist_rank_by_month", "artists", "artists_by_month",
        "listening_by_hour", "listening_daily", "month_review", "sessions", "track_rank_by_month",
        "tracks", "tracks_by_month", "where_and_how", "year_review",
    ],
)  # fmt: skip
def test_the_sums_of_each_view_match_the_plays(reader, many_plays, view):
    assert sums(reader, f"reporting.{view}") == sums(reader, PLAYS)


def test_a_row_of_listening_by_hour_counts_every_rule(reader, play):
    play(NEW_YEAR, 29_999)
    play(NEW_YEAR + timedelta(minutes=10), 30_000)
    play(NEW_YEAR + timedelta(minutes=20), 105_000)
    play(NEW_YEAR + timedelta(minutes=30))

    assert sums(reader, "reporting.listening_by_hour") == [["me", 4, 3, 2, 0, 374_999, 210_000]]
