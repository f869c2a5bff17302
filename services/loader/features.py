"""Features of tracks in Postgres, and the popularity of plays that arrived without it."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import TypeAdapter

from services.loader.statements import STATEMENTS, run
from shared.models import EnrichedBatch, TrackFeatures
from shared.postgres import Database

# Most tracks are new, and an insert takes a third less time without a conflict clause.
_INSERT = STATEMENTS["insert_features"]
_UPSERT = f"{_INSERT}\n" + STATEMENTS["on_known_track"]

REMEMBERED_TRACKS = 200_000
"""Most tracks to remember as loaded; beyond that the memory is cleared."""

Round = dict[str, TrackFeatures]
"""Features to write in one statement, by track uri: a statement cannot write a track twice."""


class FeatureStore:
    """Writes features of tracks through one connection, and remembers which it has written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Every batch carries the features of its tracks, and most were loaded with an earlier one.
        # A restore of the database ends the connection and this memory; `unloaded` notices an
        # emptied table.
        self._loaded: dict[str, tuple[datetime, datetime | None]] = {}

    def unloaded(self, batches: Iterable[EnrichedBatch]) -> list[Round]:
        """Return the features that this connection has not loaded yet, in rounds.

        A round holds no track more than once, so batches with several answers about one track
        (rare) need several rounds. An answer older than the one already loaded for its track is
        included too, because it may fill in unknown values.
        """
        self._forget_if_emptied()
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

    def _forget_if_emptied(self) -> None:
        """Forget all loaded tracks if the first is no longer in Postgres: the table was emptied."""
        first = next(iter(self._loaded), None)
        if first and not run(self._database, "stored_tracks", tracks=first):
            self._loaded.clear()

    def load(self, rounds: Iterable[Round], waiting: set[str]) -> None:
        """Write features, and fill in the popularity of plays that arrived without it.

        Features can arrive before the play, with a later play of the track, or from healing, so
        every load fills in the popularity.

        Args:
            rounds: The result of `unloaded`.
            waiting: Tracks of plays that were just written without a popularity.
        """
        tracks = set(waiting)
        for each in rounds:
            found = run(self._database, "stored_tracks", tracks=",".join(each))
            stored = {track for (track,) in found}
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
        """Remember the features of these rounds as loaded; call it after the commit."""
        if len(self._loaded) > REMEMBERED_TRACKS:
            self._loaded.clear()
        for each in rounds:
            self._loaded.update((track, _version(features)) for track, features in each.items())


def _version(features: TrackFeatures) -> tuple[datetime, datetime | None]:
    """Return the fetch times of features and popularity, which identify an answer about a track."""
    return features.fetched_at, features.popularity_fetched_at


_FEATURES = TypeAdapter(list[TrackFeatures])
