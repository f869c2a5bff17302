"""The views that sum up a month or a year, and those of skips, contexts and mood."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.reporting_model.counts import (
    counts,
    distinct,
    minutes,
    share,
    skip_rate,
    skips,
    stricter,
    times,
)
from tests.reporting_model.history import History, Play, grouped
from tests.reporting_model.items import ever
from tests.reporting_model.world import Row

SOUNDS = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "speechiness",
          "liveness", "loudness", "tempo")  # fmt: skip
HOW = ("platform", "country", "reason_start", "reason_end", "shuffle", "offline", "incognito")


def months(history: History) -> dict[tuple[str, date], list[Play]]:
    return grouped(history.plays, lambda play: (play.listener, play.month))


def first_plays(history: History, kind: str) -> dict[tuple[str, Any], Play]:
    """Return the first play of each artist, track or album by each listener."""
    return {(listener, item): plays[0] for listener, item, plays in ever(history, kind)}


def new_ones(plays: list[Play], kind: str, first: dict[tuple[str, Any], Play]) -> set[Any]:
    """Return the artists, tracks or albums whose first play is among these."""
    # Compare identity, because two plays may have equal values.
    ours = {id(play) for play in plays}
    return {item for play in plays if (item := getattr(play, kind)) is not None
            and id(first[play.listener, item]) in ours}  # fmt: skip


def discovery(history: History) -> Iterator[Row]:
    first = {kind: first_plays(history, kind) for kind in ("artist", "track", "album")}
    for (listener, month), plays in months(history).items():
        new = {kind: new_ones(plays, kind, first[kind]) for kind in first}
        yield {
            "listener": listener,
            "listened_month": month,
            "artists": distinct(plays, "artist"),
            "new_artists": len(new["artist"]),
            "tracks": distinct(plays, "track"),
            "new_tracks": len(new["track"]),
            "albums": distinct(plays, "album"),
            "new_albums": len(new["album"]),
            "plays_all": len(plays),
            "plays_of_new_artists": sum(play.artist in new["artist"] for play in plays),
            "plays_of_new_tracks": sum(play.track in new["track"] for play in plays),
            **stricter(plays),
            **times(plays),
        }


def skips_by_month(history: History) -> Iterator[Row]:
    for (listener, month), plays in months(history).items():
        yield {
            "listener": listener,
            "listened_month": month,
            "plays_all": len(plays),
            **skips(plays),
            "skip_rate": skip_rate(plays),
            **stricter(plays),
            **times(plays),
        }


def where_and_how(history: History) -> Iterator[Row]:
    groups = grouped(history.plays, lambda play: (
        play.listener, play.month, *(play.row[column] for column in HOW),
        context_type(play.row["context_uri"]),
    ))  # fmt: skip
    for (listener, month, *how), plays in groups.items():
        yield {
            "listener": listener,
            "listened_month": month,
            **dict(zip((*HOW, "context_type"), how, strict=True)),
            **counts(plays),
            **skips(plays),
        }


def context_type(uri: str | None) -> str | None:
    """Return the kind of thing that a context URI names.

    An old form contains the owner of a playlist: spotify:user:NAME:playlist:ID.
    """
    if uri is None:
        return None
    words = uri.split(":")
    return words[3] if words[1] == "user" and len(words) > 3 else words[1]


def mood_by_month(history: History) -> Iterator[Row]:
    for (listener, month), plays in months(history).items():
        yield {"listener": listener, "listened_month": month, **_mood(plays)}


def mood_by_hour(history: History) -> Iterator[Row]:
    groups = grouped(history.plays, lambda play: (play.listener, play.month, play.local.hour))
    for (listener, month, hour), plays in groups.items():
        yield {"listener": listener, "listened_month": month, "hour": hour, **_mood(plays)}


def _mood(plays: list[Play]) -> Row:
    known = sum(bool(play.features.get("tells_sound")) for play in plays)
    return {
        "plays_all": len(plays),
        "plays_with_features": known,
        "features_coverage": share(known, len(plays)),
        **{sound: _mean(plays, sound) for sound in SOUNDS},
        "share_major": _mean(plays, "mode"),
        **stricter(plays),
        **times(plays),
        **{f"{sound}_plays": len(_values(plays, sound)) for sound in SOUNDS},
        "share_major_plays": len(_values(plays, "mode")),
    }


def _mean(plays: list[Play], sound: str) -> Fraction | None:
    values = _values(plays, sound)
    return sum(values, Fraction()) / len(values) if values else None


def _values(plays: list[Play], sound: str) -> list[Fraction]:
    return [Fraction(play.features[sound]) for play in plays
            if play.features.get(sound) is not None]  # fmt: skip


def diversity(history: History) -> Iterator[Row]:
    first = first_plays(history, "track")
    for (listener, month), plays in months(history).items():
        by_artist = sorted(map(len, grouped(plays, lambda play: play.artist).values()))
        tracks = distinct(plays, "track")
        yield {
            "listener": listener,
            "listened_month": month,
            "artists": len(by_artist),
            "tracks": tracks,
            "albums": distinct(plays, "album"),
            "plays_all": len(plays),
            "top10_artists_share": share(sum(by_artist[-10:]), len(plays)),
            "tracks_per_artist": share(tracks, len(by_artist)),
            "plays_per_track": share(len(plays), tracks),
            "new_tracks_share": share(len(new_ones(plays, "track", first)), tracks),
            **stricter(plays),
            **times(plays),
        }


def month_review(history: History) -> Iterator[Row]:
    return _review(history, "listened_month", lambda play: play.month, _month_before)


def year_review(history: History) -> Iterator[Row]:
    return _review(history, "listened_year", lambda play: play.date.year, lambda year: year - 1)


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _review(
    history: History, column: str, period_of: Callable[[Play], Any], before: Callable[[Any], Any]
) -> Iterator[Row]:
    periods = grouped(history.plays, lambda play: (play.listener, period_of(play)))
    first = {kind: first_plays(history, kind) for kind in ("artist", "track")}
    for (listener, period), plays in periods.items():
        yield {
            "listener": listener,
            column: period,
            **counts(plays),
            "days_with_plays": len({play.date for play in plays}),
            **_numbers_of(plays),
            "albums": distinct(plays, "album"),
            "new_artists": len(new_ones(plays, "artist", first["artist"])),
            "new_tracks": len(new_ones(plays, "track", first["track"])),
            **_tops(history, plays),
            "skip_rate": skip_rate(plays),
            **_busiest(plays),
            **_previous(periods.get((listener, before(period)))),
        }


def _numbers_of(plays: list[Play]) -> Row:
    return {"artists": distinct(plays, "artist"), "tracks": distinct(plays, "track")}


def _previous(plays: list[Play] | None) -> Row:
    columns = ("plays_all", "plays_30s", "plays_half", "plays_done", "minutes", "artists", "tracks")
    known = {**counts(plays), **_numbers_of(plays)} if plays else {}
    return {f"previous_{column}": known.get(column) for column in columns}


def _tops(history: History, plays: list[Play]) -> Row:
    artist, artist_plays = _top(plays, "artist", history.artist_names)
    track, track_plays = _top(plays, "track", history.track_names)
    album, _ = _top(plays, "album", history.album_names)
    return {
        "top_artist": artist.get("artist_name"),
        "top_artist_plays": artist_plays,
        "top_track": track.get("track_name"),
        "top_track_artist": track.get("artist_name"),
        "top_track_plays": track_plays,
        "top_album": album.get("album_name"),
        "top_album_artist": album.get("artist_name"),
    }


def _top(plays: list[Play], kind: str, names: Callable[[Any], Row]) -> tuple[Row, int | None]:
    """Return the names and the plays of 30 s of the item with the most of them.

    Ties: the longest time, then the smallest name, then the smallest name of its artist.
    """
    candidates = []
    for item, theirs in grouped(plays, lambda play: getattr(play, kind)).items():
        if item is not None:
            counted, shown = counts(theirs), names(item)
            order = (-counted["plays_30s"], -counted["ms"], shown[f"{kind}_name"])
            candidates.append((*order, shown["artist_name"], shown, counted["plays_30s"]))
    return min(candidates, key=lambda found: found[:4])[4:] if candidates else ({}, None)


def _busiest(plays: list[Play]) -> Row:
    by_day = {day: sum(play.ms for play in theirs)
              for day, theirs in grouped(plays, lambda play: play.date).items()}  # fmt: skip
    busiest = min(by_day, key=lambda day: (-by_day[day], day))
    return {"busiest_date": busiest, "busiest_date_minutes": minutes(by_day[busiest])}
