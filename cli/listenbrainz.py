"""Plays as the listens that ListenBrainz imports; pure.

A listen has the time at which the play began, in whole seconds of Unix time. ListenBrainz counts a
play once half of the track or four minutes were played, whichever is less; where the length of the
track is unknown, its own importer of Spotify's exports requires 30 s.

Source:
    https://listenbrainz.readthedocs.io/en/latest/users/json.html
    https://listenbrainz.readthedocs.io/en/latest/users/api/core.html
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.models import has_usual_id

COUNTED_MS = 240_000
COUNTED_OF_UNKNOWN_MS = 30_000
SHOWN_BY_THE_API_MS = 30_000
"""Spotify's API shows no shorter play."""
LIKELY_LENGTH_MS = 210_000
"""Of a track whose length is unknown, as in the reporting views."""
FIRST = datetime(2002, 10, 1, tzinfo=UTC)
"""ListenBrainz refuses earlier listens."""

COLUMNS = (
    *("listener", "played_at", "track_uri", "track_name", "artist_name", "album_name"),
    *("ms_played", "duration_ms", "isrc", "incognito"),
)
"""The columns of a play that a listen is made of."""

UNNAMED = "without a track or artist name"
TOO_SHORT = "shorter than ListenBrainz counts"
PRIVATE = "in a private session"
TOO_EARLY = "before October 2002"


class Played(BaseModel):
    """One play, with the values of `COLUMNS` as Postgres writes them."""

    model_config = ConfigDict(frozen=True)

    listener: str
    played_at: datetime
    track_uri: str
    track_name: str
    artist_name: str
    album_name: str | None
    ms_played: int | None
    duration_ms: int | None
    isrc: str | None
    incognito: bool | None


class Listens:
    """Turns plays into listens, and counts the plays that it leaves out, by reason.

    Args:
        everything: Keep short plays and those of private sessions.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self.left_out: Counter[str] = Counter()

    def of(self, plays: Iterable[Played]) -> Iterator[dict[str, Any]]:
        """Yield the listens of `plays`, which must be sorted by listener and time."""
        before: Played | None = None
        for play in plays:
            started_at = _started_at(play, before)
            if reason := self._reason(play, started_at):
                self.left_out[reason] += 1
            else:
                yield _listen(play, started_at)
            before = play

    def _reason(self, play: Played, started_at: datetime) -> str | None:
        """Return why a play is left out; None if it is not."""
        if not (play.track_name and play.artist_name):
            return UNNAMED
        if started_at < FIRST:
            return TOO_EARLY
        if not self._everything and play.incognito:
            return PRIVATE
        if not self._everything and not _counts(play):
            return TOO_SHORT
        return None


def _counts(play: Played) -> bool:
    """True if a play is long enough for ListenBrainz, or comes from a poll, without `ms_played`."""
    if play.ms_played is None:
        return True
    if not play.duration_ms:
        return play.ms_played >= COUNTED_OF_UNKNOWN_MS
    return play.ms_played >= min(COUNTED_MS, play.duration_ms / 2)


def _started_at(play: Played, before: Played | None) -> datetime:
    """Return when a play began.

    A play from a poll has no `ms_played`. Its length is estimated as in the reporting views: the
    length of the track, at most the time since the previous play ended, and at least 30 s.
    """
    ms = play.ms_played
    if ms is None:
        ms = play.duration_ms or LIKELY_LENGTH_MS
        if before and before.listener == play.listener:
            ms = min(ms, (play.played_at - before.played_at) // timedelta(milliseconds=1))
        ms = max(SHOWN_BY_THE_API_MS, ms)
    return play.played_at - timedelta(milliseconds=ms)


def _listen(play: Played, started_at: datetime) -> dict[str, Any]:
    url = (
        f"https://open.spotify.com/track/{play.track_uri.rpartition(':')[2]}"
        if has_usual_id(play.track_uri)
        else None
    )
    info = {
        "music_service": "spotify.com",
        "submission_client": "listening-history",
        "spotify_id": url,
        "origin_url": url,
        "isrc": play.isrc,
        "duration_ms": play.duration_ms,
    }
    track = {
        "artist_name": play.artist_name,
        "track_name": play.track_name,
        "release_name": play.album_name,
        "additional_info": _known(info),
    }
    return {"listened_at": int(started_at.timestamp()), "track_metadata": _known(track)}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop empty fields, because ListenBrainz asks clients not to send them."""
    return {name: value for name, value in fields.items() if value}
