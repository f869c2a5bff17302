"""What a run feeds in: files of an export, and plays that the simulated Spotify shows."""

import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from random import Random
from typing import Any

from infra.local.catalogue import track
from infra.local.simulators.listener import Listener
from tests.chaos.truth import Heard

FIRST_TRACK = 10_000_000
"""Tracks from here on are played by a run alone; the simulated listener plays lower numbers."""
TRACKS_PER_RUN = 10_000
SHOWN_FOR = timedelta(hours=1)
"""Longer than the 50 plays that Spotify shows take the simulated listener."""
SHOWN = 50

Row = dict[str, Any]


class Feed:
    """The plays of one run; each track that it makes up is played once."""

    def __init__(self, rng: Random, seed: int) -> None:
        self._rng = rng
        self._next = FIRST_TRACK + seed * TRACKS_PER_RUN

    def history(self, rows: int) -> list[Row]:
        """Return rows of an export, among them podcasts, broken rows and repetitions."""
        rng = self._rng
        at = datetime(rng.randint(2014, 2023), rng.randint(1, 12), 1, tzinfo=UTC)
        made: list[Row] = []
        for _ in range(rows):
            chance = rng.random()
            if chance < 0.02 and made:
                made.append(dict(made[-1]))
                continue
            at += timedelta(seconds=rng.randint(40, 4_000))
            row = self._row(at)
            if chance > 0.98:
                row |= {"spotify_track_uri": None, "spotify_episode_uri": "spotify:episode:1"}
            elif chance > 0.96:
                row["ms_played"] = "many"
            made.append(row)
        return made

    def live(self, count: int, until: datetime, apart: timedelta) -> list[Row]:
        """Return plays for the simulator, the last of which ends at `until`."""
        first = until - apart * (count - 1)
        return [
            {"track_number": self._new(), "played_at": (first + apart * place).isoformat()}
            for place in range(count)
        ]

    def export_of(self, plays: Sequence[Heard]) -> list[Row]:
        """Return the rows that an export holds of live plays."""
        return [self._export_row(uri, at, 120_000) for uri, at in plays]

    def _row(self, at: datetime) -> Row:
        return self._export_row(track(self._new()).uri, at, self._rng.randint(30_000, 300_000))

    @staticmethod
    def _export_row(uri: str, at: datetime, ms_played: int) -> Row:
        return {
            "ts": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "platform": "linux",
            "ms_played": ms_played,
            "conn_country": "DE",
            "master_metadata_track_name": f"Title {uri[-8:]}",
            "master_metadata_album_artist_name": f"Artist {uri[-8:]}",
            "master_metadata_album_album_name": "Album",
            "spotify_track_uri": uri,
            "spotify_episode_uri": None,
            "reason_start": "trackdone",
            "reason_end": "trackdone",
            "shuffle": False,
            "skipped": False,
            "offline": False,
            "incognito_mode": False,
        }

    def _new(self) -> int:
        self._next += 1
        return self._next


class Spotify:
    """What the simulated account has played: its endless listener, and what runs have added."""

    def __init__(self) -> None:
        self.orders: list[Row] = []
        """The plays that were added, as the simulator takes them."""
        self._begun: list[Heard] = []
        self._added: set[Heard] = set()
        self._listener = Listener()

    def begin(self, plays: Sequence[Row]) -> list[Heard]:
        """Note plays that the simulator may show from now on."""
        heard = _heard(plays)
        self._begun += heard
        return heard

    def add(self, plays: Sequence[Row]) -> None:
        """Note that the simulator has them."""
        self._added |= set(_heard(plays))
        self.orders += plays

    def added_until(self, now: datetime) -> set[Heard]:
        """Return the plays of the last hour that the simulator has for sure."""
        own = set(self._own(now - SHOWN_FOR, now))
        return own | {one for one in self._added.copy() if one.at <= now}

    def played(self, since: datetime, until: datetime) -> list[Heard]:
        """Return the plays that ended in (since, until], the oldest first."""
        added = [one for one in self._begun if since < one.at <= until]
        return sorted(self._own(since, until) + added, key=attrgetter("at"))

    def shown(self, now: datetime) -> list[Heard]:
        """Return the plays that Spotify shows at an instant: the newest 50."""
        return self.played(now - SHOWN_FOR, now)[-SHOWN:]

    def _own(self, since: datetime, until: datetime) -> list[Heard]:
        return [
            Heard(track(one.track_number).uri, one.ended_at)
            for one in self._listener.plays_between(since, until)
        ]


def _heard(plays: Sequence[Row]) -> list[Heard]:
    return [
        Heard(track(play["track_number"]).uri, datetime.fromisoformat(play["played_at"]))
        for play in plays
    ]


def packed(rows: Sequence[Row], *, as_zip: bool) -> bytes:
    """Write rows as a JSON file, or as a zip with two of them."""
    if not as_zip:
        return json.dumps(rows).encode()
    buffer = io.BytesIO()
    middle = len(rows) // 2
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate((rows[:middle], rows[middle:])):
            name = f"Spotify Extended Streaming History/Streaming_History_Audio_2020_{number}.json"
            archive.writestr(name, json.dumps(part))
    return buffer.getvalue()
