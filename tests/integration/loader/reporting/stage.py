"""Fills the tables behind the reporting views, and reads the views."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from tests.integration.loader.reporting.comparison import differences, without_ids
from tests.reporting_model.views import VIEWS, expected
from tests.reporting_model.world import Row, World

MINUTE = timedelta(minutes=1)
NOON = datetime.fromisoformat("2024-05-15T12:00:00+00:00")


def a_play(ended_at: datetime | str, track: str = "a", ms: int | None = 200_000, **columns) -> Row:
    """A row of listening_history: of an export, or of the API if the time played is unknown."""
    return {
        "listener": "me",
        "track_uri": f"spotify:track:{track}",
        "track_name": f"Title {track}",
        "artist_name": f"Artist {track}",
        "album_name": f"Album {track}",
        "played_at": ended_at,
        "ms_played": ms,
        "source": "recently-played" if ms is None else "extended-history",
        **dict.fromkeys(("popularity", "duration_ms", "context_uri", "platform", "country")),
        **dict.fromkeys(("reason_start", "reason_end", "shuffle", "skipped", "offline")),
        "incognito": None,
        **columns,
    }


def plays_at(*instants: str, **columns) -> list[Row]:
    """One play of each of several tracks."""
    return [a_play(instant, f"t{n}", **columns) for n, instant in enumerate(instants)]


class Reporting:
    """The tables and the views, for one test."""

    def __init__(self, database, owner, reader) -> None:
        self.database = database
        self.owner = owner
        self.reader = reader
        # No view may depend on the reader's time zone.
        reader.run("SET TimeZone TO 'Pacific/Kiritimati'")

    def store(self, *plays: Row) -> None:
        self.insert("listening_history", plays)

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows that share one set of columns."""
        rows = list(rows)
        columns = ", ".join(rows[0])
        self.database.run(
            f"INSERT INTO {table} ({columns}) SELECT {columns} "  # noqa: S608 - our own words
            f"FROM json_populate_recordset(NULL::{table}, :rows)",
            rows=json.dumps(rows, default=str),
        )

    def listen_in(self, zone: str, listener: str = "me") -> None:
        self.database.run(
            "INSERT INTO listener_setting VALUES (:listener, :zone) "
            "ON CONFLICT (listener) DO UPDATE SET time_zone = :zone",
            listener=listener, zone=zone,
        )  # fmt: skip

    def poll(self, *instants: datetime | str, listener: str = "me", late: int = 0) -> None:
        names = ("returned", "new", "moved", "unreadable")
        self.insert("poll", [
            {"origin": f"{listener}/{at}", "listener": listener, "polled_at": at, "late": late,
             **dict.fromkeys(names, 0)} for at in instants
        ])  # fmt: skip

    def gap(self, started_at, ended_at, listener="me", closed_at=None, closed_until=None) -> None:
        self.insert("gap", [{
            "listener": listener, "started_at": started_at, "ended_at": ended_at,
            "reason": "no answer", "origin": "outages/me", "opened_at": started_at,
            "closed_at": closed_at, "closed_until": closed_until,
        }])  # fmt: skip

    def report(self, origin: str, batches: int, *spans, listener: str = "me") -> None:
        """Report an upload that covers spans of time."""
        self.insert("import_report", [{
            "origin": origin, "listener": listener, "batches": batches, "rows_in": 0,
            "published": 0, "unusual_ids": 0, "reported_at": NOON,
            "spans": [{"started_at": start, "ended_at": end} for start, end in spans],
            **{name: [] for name in ("skipped", "quarantined", "files", "problems")},
        }])  # fmt: skip

    def know(self, track: str, **features) -> None:
        """Store features of a track."""
        self.insert("track_features", [{
            "track_uri": f"spotify:track:{track}", "source": "reccobeats",
            "fetched_at": "2024-01-01T00:00Z", **features,
        }])  # fmt: skip

    def refresh(self) -> None:
        """Recompute what is marked."""
        ((months_left,),) = self.database.run("SELECT derived.refresh(1000000)")
        assert months_left == 0

    def forget(self) -> None:
        """Empty all derived tables, as if no refresh had ever run."""
        names = self.owner.run(
            "SELECT string_agg('derived.' || tablename, ', ') FROM pg_tables "
            "WHERE schemaname = 'derived'"
        )
        self.owner.run(f"TRUNCATE {names[0][0]}")

    def rebuild(self) -> None:
        """Rebuild all derived tables."""
        self.database.run("SELECT derived.rebuild()")
        self.refresh()

    def empty(self) -> None:
        """Empty the tables of plays, features, zones and gaps."""
        self.owner.run(
            "TRUNCATE listening_history, merged_record, track_features, poll, gap, loaded_batch, "
            "import_report, listener_setting RESTART IDENTITY"
        )

    def shown(self, view: str, *columns: str, listener: str = "me") -> list[list[Any]]:
        """Read columns of a view, in the order of their values; the model must show the same."""
        self.refresh()
        with one_instant(self.reader):
            rows = table(self.reader, f"reporting.{view}")
            model = expected(self.read_world(), view)
        (stripped,) = without_ids({view: rows}).values()
        assert differences(stripped, model[view]) == []
        theirs = [[row[column] for column in columns]
                  for row in rows if row["listener"] == listener]  # fmt: skip
        return sorted(theirs, key=_nulls_last)

    def compare(self) -> None:
        """Compare all views with the model."""
        assert self.wrong_views() == {}

    def wrong_views(self) -> dict[str, list[Any]]:
        """Return the differences of each view that differs."""
        with one_instant(self.reader):
            actual, model = self.read_views(), expected(self.read_world(), *VIEWS)
        wrong = {name: differences(actual[name], model[name]) for name in VIEWS}
        return {name: found for name, found in wrong.items() if found}

    def read_views(self) -> dict[str, list[Row]]:
        """Read all views without their ids, the rows in a fixed order."""
        views = {name: table(self.reader, f"reporting.{name}") for name in VIEWS}
        return {name: sorted(rows, key=repr) for name, rows in without_ids(views).items()}

    def read_derived(self) -> dict[str, list[str]]:
        """Read all derived tables, the rows in a fixed order."""
        names = self.owner.run("SELECT tablename FROM pg_tables WHERE schemaname = 'derived'")
        return {name: sorted(map(repr, table(self.owner, f"derived.{name}"))) for (name,) in names}

    def read_world(self) -> World:
        """Read what the model needs."""
        run = self.reader.run
        spans = run(
            "SELECT r.listener, s.started_at, s.ended_at FROM import_report r, "
            "jsonb_to_recordset(r.spans) AS s (started_at timestamptz, ended_at timestamptz) "
            "WHERE r.batches = (SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin)"
        )
        gaps = run(
            "SELECT listener, greatest(started_at, closed_until), ended_at FROM gap "
            "WHERE closed_at IS NULL"
        )
        return World(
            now=run("SELECT now()")[0][0],
            plays=table(self.reader, "listening_history"),
            features={row["track_uri"]: row for row in table(self.reader, "track_features")},
            zones=dict(run("SELECT listener, time_zone FROM listener_setting")),
            polls=list(map(tuple, run("SELECT listener, polled_at FROM poll"))),
            gaps=list(map(tuple, gaps)),
            spans=list(map(tuple, spans)),
            loads=list(map(tuple, run("SELECT listener, loaded_at FROM loaded_batch"))),
        )


@contextmanager
def one_instant(database) -> Iterator[None]:
    """Read from one snapshot, in which now() does not change."""
    database.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    finally:
        database.run("ROLLBACK")


def table(database, name: str) -> list[Row]:
    """Read all rows of a table or view by column name."""
    rows = database.run(f"SELECT * FROM {name}")  # noqa: S608 - our own words
    described = database._connection.columns  # noqa: SLF001 - `run` returns no names
    columns = [column["name"] for column in described]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _nulls_last(values: list[Any]) -> list[Any]:
    return [(value is None, value is not None and value) for value in values]
