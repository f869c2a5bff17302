"""Plays on their way into the database, told a line at a time."""

import time
from contextlib import closing
from datetime import datetime

from shared.errors import DatabaseError
from shared.postgres import Address, Database

LOOK_S = 3
"""How long between two looks."""

COUNTS = "SELECT (SELECT count(*) FROM listening_history), (SELECT count(*) FROM track_features)"
LAST = """
SELECT track_name, artist_name, played_at FROM listening_history
ORDER BY played_at DESC LIMIT 1
"""


def count_plays(address: Address) -> int | None:
    """Return the number of plays in the database; None if it cannot be asked."""
    try:
        with closing(Database.connect(address)) as database:
            ((plays, _),) = database.run(COUNTS)
    except DatabaseError:
        return None
    return int(plays)


class Arrivals:
    """What is in the database, and whether that is news.

    Args:
        address: Of the database, as a role that may read.
        every_s: How long between two looks.
    """

    def __init__(self, address: Address, every_s: float = LOOK_S) -> None:
        self._address = address
        self._every_s = every_s
        self._looked_at = float("-inf")
        self._told = (0, 0)

    def news(self) -> str | None:
        """Tell what is there, if it is not what was told last; None without a database, too.

        Each look connects anew: Postgres may be stopped, and start again.
        """
        if time.monotonic() < self._looked_at + self._every_s:
            return None
        self._looked_at = time.monotonic()
        try:
            database = Database.connect(self._address)
            try:
                return self._look(database)
            finally:
                database.close()
        except DatabaseError:
            return None

    def _look(self, database: Database) -> str | None:
        ((plays, tracks),) = database.run(COUNTS)
        if (plays, tracks) == self._told:
            return None
        line = f"{plays:,} plays, {tracks:,} tracks with features"
        for track, artist, played_at in database.run(LAST):
            line += f", last: {_plain(track)} by {_plain(artist)} at {_clock(played_at)}"
        self._told = (plays, tracks)
        return line


def _plain(name: str) -> str:
    """Keep a name on its line: a terminal would obey some characters."""
    return "".join(character for character in name if character.isprintable())


def _clock(instant: datetime) -> str:
    """Tell an instant as the clocks here show it, with the day if that is another one."""
    local = instant.astimezone()
    today = local.date() == datetime.now(local.tzinfo).date()
    return f"{local:%H:%M}" if today else f"{local:%Y-%m-%d %H:%M}"
