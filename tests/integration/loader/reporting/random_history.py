"""A random history of two listeners, with what real ones have: both sources, names in many
spellings, compilations, unknown lengths, skips, plays of one instant and long pauses.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unicodedata import normalize

from tests.integration.loader.reporting.stage import Reporting, a_play
from tests.reporting_model.world import Row

TRACKS = 300
URIS = 400  # so that 100 tracks have two
START = datetime(2017, 1, 1, tzinfo=UTC)
MEASURES = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness",
            "liveness", "valence")  # fmt: skip


def store_random_history(reporting: Reporting, plays: int, seed: int) -> None:
    """Store so many plays for each of two listeners, features of most tracks, polls and gaps."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    reporting.insert("track_features", filter(None, (_features(chance, n) for n in range(URIS))))
    for listener in ("me", "zoe"):
        rows = list(_plays(chance, listener, plays))
        # In random order, as uploads are.
        chance.shuffle(rows)
        reporting.insert("listening_history", rows)
        _watch(chance, reporting, listener, max(row["played_at"] for row in rows))


def _plays(chance: random.Random, listener: str, count: int) -> Iterator[Row]:
    ended_at, uri = START + timedelta(days=chance.randrange(300)), 0
    seen: set[tuple[datetime, int]] = set()
    while len(seen) < count:
        ended_at += _step(chance)
        if chance.random() < 0.02:
            ended_at = ended_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if chance.random() < 0.7:
            uri = _popular(chance, ended_at)
        if (ended_at, uri) not in seen:
            seen.add((ended_at, uri))
            yield _play(chance, listener, ended_at, uri)


def _popular(chance: random.Random, ended_at: datetime) -> int:
    """Choose a track; each quarter has favourites of its own."""
    quarter = (ended_at - START) // timedelta(days=90)
    return min(int(chance.expovariate(1 / 40)) + 50 * quarter, URIS - 1)


def _step(chance: random.Random) -> timedelta:
    kind = chance.random()
    if kind < 0.02:
        return timedelta()
    if kind < 0.85:
        return timedelta(milliseconds=chance.randrange(600_000))
    if kind < 0.9:
        return timedelta(minutes=30, milliseconds=chance.choice([-1, 0, 1, 210_000]))
    return timedelta(hours=chance.choice([3, 9, 14, 20, 26, 60, 200]) * chance.random())


def _play(chance: random.Random, listener: str, ended_at: datetime, uri: int) -> Row:
    source = chance.choice(["recently-played", "extended-history", "extended-history", "both"])
    is_export = source != "recently-played"
    ms = chance.choice([0, 1_000, 29_999, 30_000, 240_000, chance.randrange(400_000)])
    return a_play(
        ended_at,
        f"{uri:03}",
        listener=listener,
        source=source,
        ms=ms if is_export else None,
        duration_ms=None if source == "extended-history" or uri % 7 == 0 else _length(uri),
        popularity=chance.choice([None, uri % 101]),
        context_uri=None if source == "extended-history" else _context(chance),
        platform=chance.choice(["ios", "web"]) if is_export else None,
        country=chance.choice(["DE", "IN"]) if is_export else None,
        reason_start="clickrow" if is_export else None,
        reason_end=chance.choice(["trackdone", "fwdbtn", None]) if is_export else None,
        shuffle=chance.choice([True, False]) if is_export else None,
        skipped=chance.choice([True, False, None]) if is_export else None,
        **_names(chance, uri, source),
    )


def _length(uri: int) -> int:
    return [15_000, 29_999, 30_000, 180_000, 200_001, 500_000][uri % 6]


def _context(chance: random.Random) -> str | None:
    return chance.choice([None, "spotify:playlist:1", "spotify:user:jane:playlist:1"])


def _names(chance: random.Random, uri: int, source: str) -> Row:
    track = uri % TRACKS
    # Some records spell a track in other letters.
    artist = _spelled(chance, uri, f"Künstler {track % 60}")
    if source == "extended-history" and uri % 10 == 0:
        artist = "Various Artists"
    album = None if uri % 11 == 0 else _spelled(chance, uri, f"Álbum {uri % 120}")
    title = _spelled(chance, uri, f"Stück {track}")
    return {"artist_name": artist, "track_name": title, "album_name": album}


def _spelled(chance: random.Random, uri: int, name: str) -> str:
    forms = [name, name.upper(), normalize("NFD", name), f" {name} "]
    return chance.choice(forms) if uri % 5 == 0 else forms[uri % 4]


def _features(chance: random.Random, uri: int) -> Row | None:
    if uri % 4 == 3:
        return None
    known = uri % 4 != 2  # else no more than the popularity
    return {
        "track_uri": f"spotify:track:{uri:03}",
        "source": "reccobeats",
        "fetched_at": START,
        "popularity": uri % 101,
        "duration_ms": _length(uri) if chance.random() < 0.8 else None,
        **{name: round(chance.random(), 6) if known else None for name in MEASURES},
        "loudness": round(-60 * chance.random(), 3) if known else None,
        "tempo": chance.choice([None, round(200 * chance.random(), 3)]) if known else None,
        "key": uri % 12 if known else None,
        "mode": uri % 2 if known else None,
        "time_signature": None,
    }


def _watch(chance: random.Random, reporting: Reporting, listener: str, last: datetime) -> None:
    """Store polls and gaps; some gaps are closed, some have no end."""
    reporting.poll(*[START + chance.random() * (last - START) for _ in range(20)],
                   listener=listener)  # fmt: skip
    for n in range(30):
        start = START + chance.random() * (last - START)
        end = start + timedelta(hours=chance.random() * 90)
        reporting.gap(
            start,
            end,
            listener=listener,
            closed_at=end if n % 3 == 0 else None,
            closed_until=start + (end - start) / 2 if n % 3 == 1 else None,
        )
    reporting.gap(last, None, listener=listener)
    reporting.insert("loaded_batch", [
        {"origin": f"history/{listener}", "number": n, "listener": listener, "loaded_at": last,
         **dict.fromkeys(("plays", "inserted", "upgraded", "duplicates", "regrouped"), 0)}
        for n in range(2)
    ])  # fmt: skip
    reporting.report(f"history/{listener}", 2, (START, START + timedelta(days=200)),
                     listener=listener)  # fmt: skip
