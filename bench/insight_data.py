"""A long random listening history for benchmarks; the same arguments give the same rows.

Each day has sessions, in which tracks follow one another. Favourites follow Zipf's law, and new
tracks appear continuously. The plays of the last 180 days come from polls, so the time played is
unknown.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from services.loader.domain.copy_format import copy_text
from shared.postgres import Database

COLUMNS = (
    "track_uri", "track_name", "artist_name", "album_name", "played_at", "ms_played", "listener",
    "source", "duration_ms", "context_uri", "platform", "country", "reason_start", "reason_end",
    "shuffle", "skipped", "offline", "incognito",
)  # fmt: skip
FEATURES = (
    "track_uri", "danceability", "energy", "key", "loudness", "mode", "speechiness",
    "acousticness", "instrumentalness", "liveness", "valence", "tempo", "duration_ms", "source",
    "fetched_at",
)  # fmt: skip
LIVE_DAYS = 180
ROWS_PER_COPY = 5_000
PLATFORMS = ("ios", "android", "OS X 14.1 [arm 2]", "web_player", "cast to living room")
CONTEXTS = ("playlist", "album", "artist", "collection", None)
SESSION_HOURS = (7, 8, 8, 9, 10, 12, 13, 15, 17, 18, 18, 19, 20, 21, 22, 23)
SKIPPED = 0.18
"""Share of plays that are skipped."""
IN_ROTATION = 0.75
"""Share of plays that are of the month's favourites."""
KNOWN_FEATURES = 0.8
"""Share of tracks with known features."""

Row = tuple[object, ...]


@dataclass(frozen=True)
class Shape:
    """The size and the dates of a listener's history."""

    listener: str = "me"
    plays: int = 1_000_000
    years: int = 14
    tracks: int = 120_000
    artists: int = 36_000
    until: datetime = datetime(2026, 11, 29, tzinfo=UTC)
    seed: int = 1


def fill(loader: Database, shape: Shape) -> None:
    """Store a listener's plays, features, polls, gaps and one upload, as role loader."""
    for rows in _batches(plays(shape)):
        loader.copy_in("listening_history", COLUMNS, copy_text(rows))
    if not loader.run("SELECT FROM track_features LIMIT 1"):
        # All listeners play the same tracks.
        for rows in _batches(features(shape)):
            loader.copy_in("track_features", FEATURES, copy_text(rows))
    _fill_ledger(loader, shape)


def plays(shape: Shape) -> Iterator[Row]:
    """Yield rows of listening_history, with the columns `COLUMNS`, the oldest first."""
    chance = random.Random(shape.seed)  # noqa: S311 - no secret
    days = shape.years * 365
    first = shape.until - timedelta(days=days)
    rotation: list[int] = []
    for day in range(days):
        if day % 30 == 0:
            rotation = _rotation(chance, shape, day / days)
        quota = shape.plays * (day + 1) // days - shape.plays * day // days
        is_live = day >= days - LIVE_DAYS
        sessions = max(1, min(quota, 1 + quota // 25))
        hours = sorted(chance.choice(SESSION_HOURS) for _ in range(sessions))
        at = first + timedelta(days=day)
        for number, hour in enumerate(hours):
            share = quota * (number + 1) // sessions - quota * number // sessions
            starts = first + timedelta(days=day, hours=hour, seconds=chance.randrange(3_000))
            at = max(at, starts)
            for _ in range(share):
                track = _track(chance, shape, rotation, day / days)
                row, at = _play(chance, shape, track, at, is_live=is_live)
                yield row


def features(shape: Shape) -> Iterator[Row]:
    """Yield rows of track_features, with the columns `FEATURES`."""
    chance = random.Random(shape.seed + 1)  # noqa: S311 - no secret
    for track in range(shape.tracks):
        if chance.random() < KNOWN_FEATURES:
            share = [round(chance.random(), 3) for _ in range(8)]
            yield (_uri(track), share[0], share[1], chance.randrange(12), -20 * share[2],
                   chance.randrange(2), *share[3:], 60 + 120 * share[2], _length_ms(track),
                   "reccobeats", shape.until)  # fmt: skip


def _rotation(chance: random.Random, shape: Shape, elapsed: float) -> list[int]:
    """Choose the favourites of a month: half of them new tracks, half of them old favourites."""
    out = int(shape.tracks * (0.02 + 0.98 * elapsed))
    new = [out - 1 - int(min(out, shape.tracks / 60) * chance.random()) for _ in range(300)]
    return new + [int(out * chance.random() ** 3) for _ in range(300)]


def _track(chance: random.Random, shape: Shape, rotation: list[int], elapsed: float) -> int:
    """Choose a track that is already released, most often one of the month's favourites."""
    if chance.random() < IN_ROTATION:
        return rotation[int(len(rotation) * chance.random() ** 2)]
    # An all-time favourite, or any track.
    steepness = chance.choice((4, 4, 4, 1, 1))
    return int(shape.tracks * (0.02 + 0.98 * elapsed) * chance.random() ** steepness)


def _play(
    chance: random.Random, shape: Shape, track: int, at: datetime, *, is_live: bool
) -> tuple[Row, datetime]:
    """Return the row of a play that starts after `at`, and the instant at which it ends."""
    length_ms = _length_ms(track)
    skipped = chance.random() < SKIPPED
    ms = chance.randrange(1_000, 60_000) if skipped else length_ms
    ended_at = at + timedelta(milliseconds=ms + chance.randrange(1, 3_000))
    artist = _artist(shape, track)
    # Exports name the artist of the album, which for a compilation is Various Artists.
    named = "Various Artists" if track % 50 == 0 and not is_live else f"Artist {artist}"
    uri = _uri(track) + chance.choice(("", "B" if track % 12 == 0 else ""))
    names = (uri, f"Track {track}", named, f"Album {artist} {track % 7}")
    context = chance.choice(CONTEXTS)
    context_uri = context and f"spotify:{context}:{track % 300}"
    if is_live:
        rest = (None, shape.listener, "recently-played", length_ms, context_uri, *[None] * 8)
    else:
        reasons = ("clickrow", "fwdbtn") if skipped else ("trackdone", "trackdone")
        rest = (ms, shape.listener, "extended-history", None, None,
                chance.choice(PLATFORMS), "DE" if track % 20 else "FR", *reasons,
                track % 2 == 0, skipped, track % 9 == 0, False)  # fmt: skip
    return (*names, ended_at, *rest), ended_at


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, ROWS_PER_COPY)):
        yield batch


def _uri(track: int) -> str:
    return f"spotify:track:{track:021d}"


def _artist(shape: Shape, track: int) -> int:
    """Return the artist of a track: few artists have many tracks, most have few."""
    spread = track * 2_654_435_761 % 2**32 / 2**32
    return int(shape.artists * spread**2.5)


def _length_ms(track: int) -> int:
    return 100_000 + track * 7_919 % 220_000


def _fill_ledger(loader: Database, shape: Shape) -> None:
    """Store an upload until `LIVE_DAYS` before the end, then polls, and gaps, some of them open."""
    live_at = shape.until - timedelta(days=LIVE_DAYS)
    first = shape.until - timedelta(days=shape.years * 365)
    origin = f"history/{shape.listener}/all.zip"
    spans = json.dumps([{"started_at": str(first), "ended_at": str(live_at)}])
    loader.run(
        "INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, "
        "quarantined, files, problems, spans) "
        "VALUES (:origin, :listener, 1, 0, 0, '{}', '{}', '[]', '[]', :spans)",
        origin=origin, listener=shape.listener, spans=spans,
    )  # fmt: skip
    loader.run(
        "INSERT INTO loaded_batch VALUES (:origin, 0, :listener, 0, 0, 0, 0, 0)",
        origin=origin, listener=shape.listener,
    )  # fmt: skip
    loader.run(
        "INSERT INTO poll SELECT 'polls/' || :listener || '/' || at, :listener, at, 50, 3, 0, 0, 0 "
        "FROM generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz), "
        "interval '30 minutes') at",
        listener=shape.listener, since=live_at, until=shape.until,
    )  # fmt: skip
    loader.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin, closed_at) "
        "SELECT :listener, at, at + interval '26 hours', 'no answer', 'outages/me', "
        "CASE WHEN extract(day FROM at) > 9 THEN now() END "
        "FROM generate_series(CAST(:since AS timestamptz), CAST(:until AS timestamptz), "
        "interval '19 days') at",
        listener=shape.listener, since=live_at, until=shape.until,
    )  # fmt: skip
