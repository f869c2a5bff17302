"""A slow and plain model of every view of schema `reporting`, computed from the tables.

The SQL is written for speed, this for readability. The tests compare them row by row.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from tests.reporting_model import items, periods, times
from tests.reporting_model.counts import counts, minutes, share
from tests.reporting_model.history import RULES, History
from tests.reporting_model.world import Row, World

FEATURES = ("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness",
            "instrumentalness", "liveness", "valence", "tempo", "time_signature")  # fmt: skip
AS_STORED = ("platform", "country", "reason_start", "reason_end", "shuffle", "offline",
             "incognito", "context_uri", "source")  # fmt: skip


def plays(history: History) -> Iterator[Row]:
    for play in history.plays:
        yield {
            "listener": play.listener,
            "listened_date": play.date,
            "listened_month": play.month,
            "listened_at_local": play.local,
            "started_at": play.started_at,
            "ended_at": play.ended_at,
            "hour": play.local.hour,
            "weekday": play.date.isoweekday(),
            **history.artist_names(play.artist),
            "album_name": history.album_names(play.album)["album_name"],
            "track_name": history.track_names(play.track)["track_name"],
            "track_uri": play.row["track_uri"],
            "ms": play.ms,
            "minutes": minutes(play.ms, places=4),
            "minutes_are_estimated": play.is_estimate,
            "is_skip": play.is_skip,
            **{f"plays_{rule}": int(play.counted[rule]) for rule in RULES},
            "length_ms": play.length,
            "popularity": play.row["popularity"],
            **{feature: play.features.get(feature) for feature in FEATURES},
            **{column: play.row[column] for column in AS_STORED},
            "context_type": periods.context_type(play.row["context_uri"]),
        }


def milestones(history: History) -> Iterator[Row]:
    for listener in history.world.listeners():
        counted = [play for play in history.of(listener) if play.counted["30s"]]
        for number, play in enumerate(counted, start=1):
            if number in (1, 100, 500, 1_000, 5_000) or number % 10_000 == 0:
                yield {
                    "listener": listener,
                    "milestone": number,
                    "reached_at": play.ended_at,
                    "listened_date": play.date,
                    **history.track_names(play.track),
                }


def freshness(history: History) -> Iterator[Row]:
    world = history.world
    for listener in world.listeners():
        theirs = history.of(listener)
        total = counts(theirs)
        yield {
            "listener": listener,
            "time_zone": world.zones.get(listener, "UTC"),
            "first_played_at": _edge(min, [play.ended_at for play in theirs]),
            "last_played_at": _edge(max, [play.ended_at for play in theirs]),
            "last_polled_at": _edge(max, [at for who, at in world.polls if who == listener]),
            "last_loaded_at": _edge(max, [at for who, at in world.loads if who == listener]),
            "marked_months": 0,  # after a refresh
            "estimated_share": share(total["ms_estimated"], total["ms"]),
            "open_gaps": len(times.open_gaps(history, listener)),
        }


def _edge(
    pick: Callable[[Iterable[datetime]], datetime], instants: list[datetime]
) -> datetime | None:
    return pick(instants) if instants else None


VIEWS: dict[str, Callable[[History], Iterable[Row]]] = {
    view.__name__: view
    for view in (
        plays,
        times.listening_by_hour,
        times.listening_daily,
        times.streaks,
        times.sessions,
        items.artists_by_month,
        items.tracks_by_month,
        items.albums_by_month,
        items.artists,
        items.tracks,
        items.albums,
        items.artist_rank_by_month,
        items.track_rank_by_month,
        items.obsessions,
        items.forgotten_favourites,
        items.together,
        periods.discovery,
        periods.skips_by_month,
        periods.where_and_how,
        periods.mood_by_month,
        periods.mood_by_hour,
        periods.diversity,
        periods.month_review,
        periods.year_review,
        milestones,
        freshness,
    )
}


def expected(world: World, *names: str) -> dict[str, list[Row]]:
    """Return the rows of views by their names; ids of artists, tracks and albums are left out.

    An id is a hash of the names.
    """
    history = History(world)
    return {name: list(VIEWS[name](history)) for name in names}
