"""The views of artists, tracks and albums: by month, all time, ranked, and special lists."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from tests.reporting_model.counts import counts, distinct, minutes, skips, stricter, times
from tests.reporting_model.history import History, Play, grouped
from tests.reporting_model.world import Row

RANKS = {"rank_all": "plays_all", "rank_30s": "plays_30s", "rank_half": "plays_half",
         "rank_done": "plays_done", "rank_minutes": "ms"}  # fmt: skip


def artists_by_month(history: History) -> Iterator[Row]:
    for (listener, month, artist), plays in by_month(history, "artist"):
        yield {
            "listener": listener,
            "listened_month": month,
            **history.artist_names(artist),
            **counts(plays),
            "tracks": distinct(plays, "track"),
            **skips(plays),
        }


def tracks_by_month(history: History) -> Iterator[Row]:
    for (listener, month, track), plays in by_month(history, "track"):
        yield {
            "listener": listener,
            "listened_month": month,
            **history.track_names(track),
            **counts(plays),
            **_most_in_a_day(plays),
            **skips(plays),
        }


def albums_by_month(history: History) -> Iterator[Row]:
    for (listener, month, album), plays in by_month(history, "album"):
        yield {
            "listener": listener,
            "listened_month": month,
            **history.album_names(album),
            **counts(plays),
            "tracks": distinct(plays, "track"),
        }


def by_month(history: History, kind: str) -> Iterator[tuple[tuple[str, date, Any], list[Play]]]:
    groups = grouped(history.plays, lambda play: (play.listener, play.month, getattr(play, kind)))
    for key, plays in groups.items():
        if key[-1] is not None:
            yield key, plays


def ever(history: History, kind: str) -> Iterator[tuple[str, Any, list[Play]]]:
    groups = grouped(history.plays, lambda play: (play.listener, getattr(play, kind)))
    for (listener, item), plays in groups.items():
        if item is not None:
            yield listener, item, plays


def _most_in_a_day(plays: list[Play]) -> Row:
    by_day = Counter(play.date for play in plays)
    most = max(by_day.values())
    on = min(day for day, count in by_day.items() if count == most)
    return {"most_in_a_day": most, "most_in_a_day_on": on}


def artists(history: History) -> Iterator[Row]:
    for listener, artist, plays in ever(history, "artist"):
        yield {
            "listener": listener,
            **history.artist_names(artist),
            **counts(plays),
            **_since(plays),
            "tracks": distinct(plays, "track"),
            **skips(plays),
        }


def tracks(history: History) -> Iterator[Row]:
    for listener, track, plays in ever(history, "track"):
        yield {
            "listener": listener,
            **history.track_names(track),
            **counts(plays),
            **_since(plays),
            **_most_in_a_day(plays),
            "track_uri": plays[-1].row["track_uri"],
            **skips(plays),
        }


def albums(history: History) -> Iterator[Row]:
    for listener, album, plays in ever(history, "album"):
        yield {
            "listener": listener,
            **history.album_names(album),
            **counts(plays),
            **_since(plays),
        }


def _since(plays: list[Play]) -> Row:
    first, last = plays[0], plays[-1]
    months = Counter(play.month for play in plays)
    return {
        "first_heard_at": first.ended_at,
        "last_heard_at": last.ended_at,
        "first_heard_on": first.date,
        "last_heard_on": last.date,
        "days_between": (last.date - first.date).days,
        "months_heard": len(months),
        "most_in_a_month": max(months.values()),
    }


def artist_rank_by_month(history: History) -> Iterator[Row]:
    rows = list(artists_by_month(history))
    return _ranked(rows, ("listener", "listened_month", "artist_name"))


def track_rank_by_month(history: History) -> Iterator[Row]:
    rows = list(tracks_by_month(history))
    return _ranked(rows, ("listener", "listened_month", "artist_name", "track_name"))


def _ranked(rows: list[Row], names: tuple[str, ...]) -> Iterator[Row]:
    """Return the rank within the listener's month; ties share a rank and skip the next ones."""
    months = defaultdict(list)
    for row in rows:
        months[row["listener"], row["listened_month"]].append(row)
    for rivals in months.values():
        for row in rivals:
            yield {
                **{name: row[name] for name in (*names, *counts([]))},
                **{rank: 1 + sum(other[by] > row[by] for other in rivals)
                   for rank, by in RANKS.items()},
            }  # fmt: skip


def obsessions(history: History) -> Iterator[Row]:
    for (listener, month, track), plays in by_month(history, "track"):
        top = _most_in_a_day(plays)
        if top["most_in_a_day"] >= 5:
            yield {
                "listener": listener,
                "listened_month": month,
                "listened_date": top["most_in_a_day_on"],
                **history.track_names(track),
                "plays_all": top["most_in_a_day"],
            }


def forgotten_favourites(history: History) -> Iterator[Row]:
    last_known = {listener: _last_known(history, listener)
                  for listener in history.world.listeners()}  # fmt: skip
    for listener, track, plays in ever(history, "track"):
        counted = counts(plays)
        days = (last_known[listener] - plays[-1].date).days
        if counted["plays_30s"] >= 20 and days >= 365:
            yield {
                "listener": listener,
                **history.track_names(track),
                "plays_all": counted["plays_all"],
                "minutes": counted["minutes"],
                "last_heard_on": plays[-1].date,
                "days_since": days,
                **stricter(plays),
                **times(plays),
            }


def _last_known(history: History, listener: str) -> date:
    polls = [at for who, at in history.world.polls if who == listener]
    last = max([play.ended_at for play in history.of(listener)] + polls)
    return last.astimezone(history.zone(listener)).date()


def together(history: History) -> Iterator[Row]:
    heard = {(listener, artist): plays for listener, artist, plays in ever(history, "artist")}
    for (listener, artist), plays in heard.items():
        for (other, theirs), other_plays in heard.items():
            if listener != other and artist == theirs:
                yield {
                    "listener": listener,
                    "other_listener": other,
                    **history.artist_names(artist),
                    "plays_all": len(plays),
                    "other_plays_all": len(other_plays),
                    "minutes": minutes(sum(play.ms for play in plays)),
                    "other_minutes": minutes(sum(play.ms for play in other_plays)),
                    **stricter(plays),
                    **times(plays),
                    **{
                        f"other_{name}": value
                        for name, value in {**stricter(other_plays), **times(other_plays)}.items()
                    },
                }
