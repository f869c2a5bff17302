from datetime import UTC, datetime

import pytest

from infra.cdk.database import DATABASE
from infra.local.arrivals import Arrivals, count_plays
from infra.local.ports import any_free
from infra.local.postgres import HOST
from shared.postgres import Address

ADD = """
INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, listener, source)
VALUES (:uri, :name, 'Nina Simone', :at, 'me', 'recently-played')
"""
FEATURES = """
INSERT INTO track_features (track_uri, source, fetched_at) VALUES ('spotify:track:1', 'test', now())
"""


@pytest.fixture
def add(database, owner):
    """Add a play, and features of one track at first."""
    owner.run(FEATURES)

    def play(name: str, at: datetime) -> None:
        owner.run(ADD, uri=f"spotify:track:{name}", name=name, at=at)

    return play


@pytest.fixture
def arrivals(address_of):
    return Arrivals(address_of("reader"))


def test_newly_stored_plays_are_reported_with_the_newest_one(add, arrivals):
    now = datetime.now(UTC)
    add("Sinnerman", now)
    add("Feeling Good", datetime(2024, 5, 1, tzinfo=UTC))

    line = arrivals.news()

    clock = f"{now.astimezone():%H:%M}"
    assert line == (f"2 plays, 1 tracks with features, last: Sinnerman by Nina Simone at {clock}")


def test_the_newest_play_is_shown_with_a_date_if_not_from_today(add, arrivals):
    played_at = datetime(2024, 5, 1, 12, tzinfo=UTC)
    add("Sinnerman", played_at)

    assert arrivals.news().endswith(f" at {played_at.astimezone():%Y-%m-%d %H:%M}")


def test_without_new_plays_no_line_is_printed(add, arrivals):
    add("Sinnerman", datetime.now(UTC))

    assert [bool(arrivals.news()), arrivals.news()] == [True, None]


def test_with_an_empty_database_no_line_is_printed(database, arrivals):
    assert arrivals.news() is None


def test_control_characters_in_names_are_not_printed(add, arrivals):
    add("Sinner\x1b[2J\nman", datetime.now(UTC))

    assert "last: Sinner[2Jman by" in arrivals.news()


def test_an_unreachable_postgres_is_reported_once_and_again_when_it_is_back(database, address_of):
    away = Address(HOST, any_free(), DATABASE, "reader", "password")
    arrivals = Arrivals(away)

    said = [arrivals.news(), arrivals.news()]
    arrivals._address = address_of("reader")  # noqa: SLF001 - as if Postgres were back
    said += [arrivals.news(), arrivals.news()]

    assert [line and line[:20] for line in said] == [
        "Postgres is away: ne",
        None,
        "Postgres is back aft",
        None,
    ]


def test_the_play_count_is_unknown_if_the_database_does_not_answer(add, address_of):
    add("Sinnerman", datetime.now(UTC))

    away = Address(HOST, any_free(), DATABASE, "reader", "any")
    assert [count_plays(address_of("reader")), count_plays(away)] == [1, None]
