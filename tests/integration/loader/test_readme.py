"""The README's SQL example, run unchanged."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

README = Path(__file__).parents[3] / "README.md"
MINUTE_MS = 60_000
OCTOBER, NOVEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))


@pytest.fixture
def example() -> str:
    (statement,) = re.findall("```sql\n(.*?)\n```", README.read_text(), re.DOTALL)
    return statement


@pytest.fixture
def played(database):
    """Store a play of a track of four minutes; a live play has None as its time played."""
    # Months are those of the session's zone.
    database.run("SET TIME ZONE 'UTC'")

    def play(played_at, minutes):
        database.run(
            "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, "
            "ms_played, duration_ms, listener, source) VALUES ('a', 'Boats', 'The Example', "
            ":played_at, :ms_played, :duration_ms, 'me', 'both')",
            played_at=played_at,
            ms_played=None if minutes is None else round(minutes * MINUTE_MS),
            duration_ms=4 * MINUTE_MS,
        )

    return play


def test_the_example_counts_live_plays_and_parts_of_hours(example, played, rows):
    played(datetime(2026, 10, 5, 9, tzinfo=UTC), 84)
    # Too short to count as a play.
    played(datetime(2026, 10, 5, 10, tzinfo=UTC), 0.25)
    played(datetime(2026, 11, 5, 9, tzinfo=UTC), 5)
    # Live: it counts as played to its end.
    played(datetime(2026, 11, 5, 10, tzinfo=UTC), None)

    found = [
        (month.astimezone(UTC), plays, Decimal(str(hours))) for month, plays, hours in rows(example)
    ]

    assert found == [(OCTOBER, 1, Decimal("1.4")), (NOVEMBER, 2, Decimal("0.2"))]
