"""What is known of tracks, in Postgres: their features, and the popularity that plays wait for."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import TypeAdapter

from services.loader.statements import STATEMENTS, run
from shared.models import EnrichedBatch, TrackFeatures
from shared.postgres import Database

# To insert without a conflict clause takes two thirds of the time, and nearly all tracks are new.
_INSERT = STATEMENTS["insert_features"]
_UPSERT = f"{_INSERT}\n" + STATEMENTS["on_known_track"]

REMEMBERED_TRACKS = 200_000
"""Tracks whose features this connection has loaded; beyond that it starts to forget."""

Round = dict[str, TrackFeatures]
"""Features by track uri: one statement cannot write a track twice."""


class FeatureStore:
    """Loads features through one connection, and remembers which it has loaded."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Every batch brings the features of its tracks, most of which came with one before. A
        # database that loses them, by a restore, breaks the connection and this memory with it.
        self._loaded: dict[str, tuple[datetime, datetime | None]] = {}

    def unloaded(self, batches: Iterable[EnrichedBatch]) -> list[Round]:
        """Give the features that this connection has not just loaded, nearly always in one round.

        Older ones are among them: they may tell what newer ones leave open.
        """
        rounds: list[Round] = []
        for features in (f for batch in batches for f in batch.features):
            track, version = features.track_uri, _version(features)
            if self._loaded.get(track) == version:
                continue
            for each in rounds:
                known = each.setdefault(track, features)
                if known is features or _version(known) == version:
                    break
            else:
                rounds.append({track: features})
        return rounds

    def load(self, rounds: Iterable[Round], waiting: set[str]) -> None:
        """Write features, and the popularity into the plays that came without it.

        Plays may wait whatever brings the features: once the track is played again these come with
        that play, and healing has nothing left to do. And features may have come before the play.

        Args:
            rounds: What `unloaded` gave.
            waiting: Tracks of plays just written that came without their popularity.
        """
        tracks = set(waiting)
        for each in rounds:
            stored = {track for (track,) in run(self._database, "stored_tracks", tracks=[*each])}
            self._write(_INSERT, [each[track] for track in each.keys() - stored])
            self._write(_UPSERT, [each[track] for track in each.keys() & stored])
            tracks.update(track for track, f in each.items() if f.popularity is not None)
        if not tracks:
            return
        shared = run(self._database, "fill_popularity", tracks=",".join(tracks))
        if shared:
            run(self._database, "show_popularity", ids=[play_id for (play_id,) in shared])

    def _write(self, statement: str, features: list[TrackFeatures]) -> None:
        if features:
            self._database.run(statement, features=_FEATURES.dump_json(features).decode())

    def remember(self, rounds: Iterable[Round]) -> None:
        """Keep in mind what was loaded, once that is committed."""
        if len(self._loaded) > REMEMBERED_TRACKS:
            self._loaded.clear()
        for each in rounds:
            self._loaded.update((track, _version(features)) for track, features in each.items())


def _version(features: TrackFeatures) -> tuple[datetime, datetime | None]:
    """Tell two answers about one track apart."""
    return features.fetched_at, features.popularity_fetched_at


_FEATURES = TypeAdapter(list[TrackFeatures])
