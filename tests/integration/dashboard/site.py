"""The page over a real Postgres, and a small history whose numbers were counted by hand.

The listener `me` lives in Berlin, plays Ada since 2024 and Wren since 2025. Tracks take 200 s.

| end, local time | track | played | |
|---|---|---|---|
| Tue 2 Jan 2024 21:00 | Ferries, Ada | 200 s | |
| Tue 4 Mar 2025 21:00 | Ferries, Ada | 200 s | |
| Tue 4 Mar 2025 21:10 | Salt, Ada | 40 s | marked as skipped |
| Tue 4 Mar 2025 21:11 | Salt, Ada | 10 s | skipped because it is short |
| Sun 13 Jul 2025 00:30 | Kites, Wren | 200 s | in UTC still Saturday |
| Sun 13 Jul 2025 12:00 | Kites, Wren | 200 s estimated | from a poll only |
| Mon 14 Jul 2025 10:00 | Ferries, Ada | 200 s | |
"""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dashboard.app import create_app
from shared.postgres import Database

LENGTH_MS = 200_000
URIS = {
    title: f"spotify:track:{number}"
    for number, title in enumerate(("Ferries", "Salt", "Kites", "Lamps"), start=1)
}
ALBUMS = {"Ada": "Tides", "Wren": "Sky", "Bo": "Night"}


PATHS = (
    "/",
    "/top",
    "/top?kind=track",
    "/top?kind=album",
    "/top.csv?kind=album",
    "/day/2025-03-05",
    "/when",
    "/discovery",
    "/rank",
    "/sessions",
    "/skips",
    "/mood",
    "/review",
    "/counts",
    "/health",
    "/plays",
)
"""Every page except those of one artist, track or album."""
STATES = (
    "",
    "period=all",
    "period=2025-03",
    "period=30d",
    "period=2031",
    "period=2024-12-30..2025-03-02",
    "period=2025&measure=minutes&rule=done",
    "period=all&measure=minutes&rule=all",
)
KINDS = ("artist", "track", "album")


class Site:
    """The page, and the database behind it."""

    def __init__(
        self,
        database: Database,
        address_of: Any,
        operations: Any = None,
        listener: str = "me",
    ) -> None:
        self.database = database
        self.listener = listener
        self._address = address_of("reader")
        self._client = create_app(self._reader, operations).test_client()

    @contextmanager
    def _reader(self) -> Iterator[Database]:
        reader = Database.connect(self._address)
        try:
            yield reader
        finally:
            reader.close()

    def play(self, ended_at: str, track: str, artist: str, ms: int | None, **columns: Any) -> None:
        """Store one play; `ended_at` is UTC, and `ms` is None for a polled play."""
        values = {
            "listener": self.listener,
            "track_uri": URIS[track],
            "track_name": track,
            "artist_name": artist,
            "album_name": ALBUMS[artist],
            "played_at": f"{ended_at}Z",
            "ms_played": ms,
            "duration_ms": LENGTH_MS,
            "source": "recently-played" if ms is None else "extended-history",
            **columns,
        }
        names = ", ".join(values)
        bound = ", ".join(f":{name}" for name in values)
        self.database.run(f"INSERT INTO listening_history ({names}) VALUES ({bound})", **values)  # noqa: S608 - our names

    def poll(self, at: str) -> None:
        """Store a poll without a new play; `at` is UTC. All days up to it are known."""
        self.database.run(
            "INSERT INTO poll VALUES ('polls/1', :listener, :at::timestamptz, 0, 0, 0, 0, 0)",
            at=f"{at}Z",
            listener=self.listener,
        )

    def gap(self, started_at: str, ended_at: str) -> None:
        """Store an open gap; both ends are UTC."""
        self.database.run(
            "INSERT INTO gap (listener, started_at, ended_at, reason, origin) "
            "VALUES (:listener, :started_at, :ended_at, 'no answer', 'polls/me/1')",
            listener=self.listener,
            started_at=f"{started_at}Z",
            ended_at=f"{ended_at}Z",
        )

    def live_in(self, zone: str) -> None:
        """Set the time zone of the listener."""
        self.database.run(
            "INSERT INTO listener_setting VALUES (:listener, :zone)",
            listener=self.listener,
            zone=zone,
        )

    def feature(self, track: str, energy: float) -> None:
        """Store the features of a track."""
        self.database.run(
            "INSERT INTO track_features (track_uri, energy, source, fetched_at) "
            "VALUES (:uri, :energy, 'reccobeats', now())",
            uri=URIS[track],
            energy=energy,
        )

    def two_years(self) -> None:
        """Store the history above."""
        self.live_in("Europe/Berlin")
        whole = {"reason_start": "trackdone", "reason_end": "trackdone", "platform": "ios"}
        cut = {"reason_start": "clickrow", "reason_end": "fwdbtn", "platform": "ios"}
        # A later poll found no play, so both years are known completely.
        self.poll("2025-12-31 22:30")
        self.play("2024-01-02 20:00", "Ferries", "Ada", LENGTH_MS, **whole)
        self.play("2025-03-04 20:00", "Ferries", "Ada", LENGTH_MS, **whole)
        self.play("2025-03-04 20:10", "Salt", "Ada", 40_000, skipped=True, **cut)
        self.play("2025-03-04 20:11", "Salt", "Ada", 10_000, **cut)
        self.play("2025-07-12 22:30", "Kites", "Wren", LENGTH_MS, **whole)
        self.play("2025-07-13 10:00", "Kites", "Wren", None)
        self.play("2025-07-14 08:00", "Ferries", "Ada", LENGTH_MS, **whole)

    def refresh(self) -> None:
        """Refresh the views, as the loader does."""
        self.database.run("SELECT derived.refresh(1000)")

    def get(self, path: str) -> Any:
        """Return the answer to a request."""
        self.refresh()
        return self._client.get(path, headers={"Host": "127.0.0.1:8100"})

    def source(self, path: str) -> str:
        """Return the HTML of a page."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def text(self, path: str) -> str:
        """Return the text of a page, including tooltips, with single spaces."""
        return plain(self.source(path))


def with_query(path: str, query: str) -> str:
    """Add a query to an address."""
    return f"{path}{'&' if '?' in path else '?'}{query}"


def assert_complete(answer: Any) -> None:
    """Fail if a page is an error, or shows a value of Python that has no words."""
    assert answer.status_code == 200, answer.text
    shown = set(plain(answer.text).replace(",", " ").split())
    assert not {"None", "nan", "inf", "Undefined"} & shown


def plain(source: str) -> str:
    """Return the text of HTML, including tooltips, with single spaces."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", source, flags=re.DOTALL)
    titled = re.sub(r'<[^>]*?\btitle="([^"]*)"[^>]*>', r" \1 ", body)
    words = html.unescape(re.sub(r"<[^>]+>", " ", titled))
    return " ".join(words.replace("\N{NARROW NO-BREAK SPACE}", " ").split())
