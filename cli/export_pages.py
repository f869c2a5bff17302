"""Reads plays page by page, so that memory use stays constant and no result exceeds AWS's limit."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta

from cli.errors import CommandError
from cli.output import Document
from cli.statements import STATEMENTS, as_document
from shared.queries import Query, Reader, Result
from shared.query_texts import encode

ROWS_PER_PAGE = 2_000
"""A whole row is some 400 bytes as JSON; the 5 MB of a page on AWS hold rows of 2,500."""

PLAY_COLUMNS = (
    "listener",
    "played_at",
    *("track_uri", "track_name", "artist_name", "album_name"),
    *("ms_played", "duration_ms", "popularity", "source", "history_ts", "isrc", "context_uri"),
    *("platform", "country", "reason_start", "reason_end"),
    *("shuffle", "skipped", "offline", "incognito"),
)
FEATURE_COLUMNS = (
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "time_signature"),
)
INSTANTS = ("played_at", "history_ts")
AS_SPOTIFY = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'


class Extent(Document):
    """The number of plays of one listener from `since` until before `until`.

    Both are instants as Postgres writes them, such as `-infinity` or `infinity`.
    """

    listener: str
    since: str
    until: str
    plays: int


def fetch_extents(
    database: Reader, listener: str | None, first: datetime | None, last: datetime | None
) -> list[Extent]:
    """Count the plays of a listener, or of all, between two times in the listener's time zone.

    If `last` is a midnight, it stands for the day that begins then, which is included.

    Raises:
        CommandError: `last` is not after `first`, or no play of the listener is stored.
    """
    if last and last.time() == time():
        last += timedelta(days=1)
    if first and last and last <= first:
        raise CommandError(f"--to is not after --from, which is {first}: pass a later --to")
    rows = database.run(
        STATEMENTS["extents"],
        listener=listener,
        since=first and first.isoformat(),
        until=last and last.isoformat(),
    )
    if listener and not rows:
        raise CommandError(
            f"no play of {listener} is stored: `plays listener list` shows the listeners"
        )
    return [as_document(Extent, row) for row in rows]


def read_pages(
    database: Reader, extents: Sequence[Extent], columns: Sequence[str]
) -> Iterator[Result]:
    """Yield pages of plays, sorted by listener and time; at least one page, which may be empty.

    Plays that are loaded during the export may or may not be included.
    """
    statement = STATEMENTS["export_page"].replace("{columns}", ", ".join(map(_selected, columns)))
    empty = Extent(listener="", since="infinity", until="infinity", plays=0)
    for extent in extents or [empty]:
        since, track_uri, is_last = extent.since, "", False
        while not is_last:
            after = {"since": since, "track_uri": track_uri, "until": extent.until}
            page = database.read(
                Query(
                    sql=statement,
                    parameters=encode(
                        {"listener": extent.listener, "most": ROWS_PER_PAGE, **after}
                    ),
                )
            )
            is_last = len(page.rows) < ROWS_PER_PAGE
            if page.rows:
                since, track_uri = (str(value) for value in page.rows[-1][:2])
            yield Result(columns=page.columns[2:], rows=[row[2:] for row in page.rows])


def _selected(column: str) -> str:
    if column in INSTANTS:
        return f"to_char({column} AT TIME ZONE 'UTC', '{AS_SPOTIFY}') AS {column}"
    return f"f.{column}" if column in FEATURE_COLUMNS else f"h.{column}"
