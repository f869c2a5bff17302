"""Report new plays in the database, and that Postgres is unavailable or available again."""

import time
from contextlib import closing
from datetime import datetime

from shared.errors import DatabaseAwayError, DatabaseError
from shared.postgres import Address, Database

COUNTS = "SELECT (SELECT count(*) FROM listening_history), (SELECT count(*) FROM track_features)"
LAST = """
SELECT track_name, artist_name, played_at FROM listening_history
ORDER BY played_at DESC LIMIT 1
"""


def count_plays(address: Address) -> int | None:
    """Return the number of plays in the database; None if the database is unavailable."""
    try:
        with closing(Database.connect(address)) as database:
            ((plays, _),) = database.run(COUNTS)
    except DatabaseError:
        return None
    return int(plays)


class Arrivals:
    """Counts the plays and tracks in the database, and reports when the counts change.

    Args:
        address: The address of the database, with the login of a role that may read the plays.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._counts = (0, 0)
        self._away_since: float | None = None

    def news(self) -> str | None:
        """Return a line for the terminal if the counts or Postgres' availability changed.

        Return None if neither changed.

        Each query opens a new connection, because Postgres may be stopped between two queries.
        """
        try:
            with closing(Database.connect(self._address)) as database:
                ((plays, tracks),) = database.run(COUNTS)
                last = database.run(LAST)
        except DatabaseAwayError:
            return self._away()
        except DatabaseError:
            return None
        if self._away_since is not None:
            seconds, self._away_since = time.monotonic() - self._away_since, None
            return f"Postgres is back after {seconds:.0f} s: plays waiting in the queues load now"
        if (plays, tracks) == self._counts:
            return None
        self._counts = (plays, tracks)
        line = f"{plays:,} plays, {tracks:,} tracks with features"
        for track, artist, played_at in last:
            line += f", last: {_printable(track)} by {_printable(artist)} at {_clock(played_at)}"
        return line

    def _away(self) -> str | None:
        if self._away_since is not None:
            return None
        self._away_since = time.monotonic()
        return (
            "Postgres is away: new plays wait in the queues until it is back; "
            "`plays logs postgres` says more"
        )


def _printable(name: str) -> str:
    """Remove control characters, which a terminal would obey."""
    return "".join(character for character in name if character.isprintable())


def _clock(instant: datetime) -> str:
    """Return a local time, with the date unless it is today."""
    local = instant.astimezone()
    today = local.date() == datetime.now(local.tzinfo).date()
    return f"{local:%H:%M}" if today else f"{local:%Y-%m-%d %H:%M}"
