"""Reads the answers of Spotify into plays and grants; pure."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    AliasPath,
    AwareDatetime,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    WrapValidator,
)

from shared.errors import SpotifyError
from shared.json_answers import read_json
from shared.models import ForeignTrackUri, Milliseconds, Play, Text

PAGE_ROWS = 50
"""Spotify shows at most the newest 50 plays."""

OTHER_KINDS = ("spotify:local:", "spotify:episode:", "spotify:chapter:")
"""URIs of other things to play: a local file, a podcast episode, a chapter of an audiobook."""

Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]
"""Printable ASCII, because it goes into an HTTP header."""


TOKEN_LIFETIME_S = 3_600
"""The lifetime of an access token if the answer lacks it; Spotify's is an hour. If the real one is
shorter, it costs one call, because a 401 replaces the token."""

TOKEN_MARGIN = timedelta(minutes=1)
"""An access token is not used in its last minute, because clocks differ and calls take time."""


@dataclass(frozen=True)
class Grant:
    """An answer of the token endpoint; `refresh_token` is the new one, if it was rotated."""

    access_token: str = field(repr=False)
    expires_in_s: int
    refresh_token: str | None = field(repr=False)


class HiddenRow(NamedTuple):
    """An unreadable row that may be a play of a track."""

    digest: str
    newer: int
    """The number of readable plays that Spotify lists before it; they are newer."""
    played_at: datetime | None
    """The end of the play, if it is readable."""


@dataclass(frozen=True)
class RecentlyPlayed:
    """An answer of recently-played: its bytes, and its rows.

    `plays` are sorted, oldest first, and may repeat. `unreadable` holds a digest of each row
    without a readable track. `returned` is the number of all rows.
    """

    raw: bytes
    plays: tuple[Play, ...]
    returned: int
    unreadable: tuple[str, ...] = ()
    hidden: tuple[HiddenRow, ...] = ()
    """The unreadable rows that may be plays, newest first."""

    @property
    def hides_plays(self) -> bool:
        """True if an unreadable row may be a play."""
        return bool(self.hidden)

    @property
    def unbroken(self) -> tuple[Play, ...]:
        """The plays that are newer than every unreadable row."""
        older = len(self.plays) - self.hidden[0].newer if self.hidden else 0
        return self.plays[older:]

    @property
    def is_full(self) -> bool:
        """True if the answer has 50 rows, so that Spotify may have older plays it does not show."""
        return self.returned >= PAGE_ROWS


def read_grant(content: bytes) -> Grant:
    """Read an answer of the token endpoint.

    Only the access token is required. Other invalid fields are ignored.

    Raises:
        SpotifyError: The answer has no access token. The error quotes nothing of the answer.
    """
    answer = _or_none(read_json(content), _TokenAnswer.model_validate)
    if answer is None:
        raise SpotifyError("Spotify's token endpoint returned no readable token")
    lifetime_s = TOKEN_LIFETIME_S if answer.expires_in is None else int(answer.expires_in)
    return Grant(answer.access_token, lifetime_s, answer.refresh_token)


def read_recently_played(content: bytes) -> RecentlyPlayed:
    """Read an answer row by row, so that an unreadable row does not hide the others.

    Raises:
        SpotifyError: The answer is not a JSON object with a list of rows (`items`).
    """
    page = _or_none(read_json(content), _Page.model_validate)
    if page is None:
        raise SpotifyError("the answer to recently-played holds no list of plays")
    rows = page.items
    plays, unreadable, hidden = [], [], []
    for row in rows:
        try:
            plays.append(Play(**vars(_Row.model_validate(row))))
        except (ValidationError, OverflowError):
            unreadable.append(_digest(row))
            if not _is_no_track(row):
                ended = _or_none(row, _Ended.model_validate)
                played_at = ended.played_at if ended else None
                hidden.append(HiddenRow(unreadable[-1], len(plays), played_at))
    # Spotify lists the newest play first; batches hold the oldest first.
    plays.sort(key=lambda play: play.played_at)
    return RecentlyPlayed(content, tuple(plays), len(rows), tuple(unreadable), tuple(hidden))


def _is_no_track(row: Any) -> bool:
    """True if a row names a local file, a podcast episode or an audiobook chapter, not a track."""
    track = row.get("track") if isinstance(row, dict) else None
    if not isinstance(track, dict):
        return False
    return track.get("is_local") is True or str(track.get("uri")).startswith(OTHER_KINDS)


def _digest(row: Any) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def _milliseconds(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)


def _or_none(value: Any, validate: Callable[[Any], Any]) -> Any:
    try:
        return validate(value)
    except (ValidationError, OverflowError):
        return None


# An invalid value of an optional field is unknown; the play stays.
_Optional = WrapValidator(_or_none)
_OrEmpty = WrapValidator(lambda value, validate: _or_none(value, validate) or "")

_LifetimeS = Annotated[float, Field(ge=TOKEN_MARGIN.total_seconds(), le=86_400)]


class _TokenAnswer(BaseModel):
    access_token: Secret
    # Below the margin each call would need a new token; more than a day is a mistake.
    expires_in: Annotated[_LifetimeS | None, _Optional] = None
    refresh_token: Annotated[Secret | None, _Optional] = None


class _Page(BaseModel):
    items: list[Any]


class _Artist(BaseModel):
    name: Text


def _first_name(artists: Any, _: Any) -> str:
    rows = artists if isinstance(artists, list) else ()
    found = (_or_none(row, _Artist.model_validate) for row in rows)
    return next((artist.name for artist in found if artist and artist.name), "")


def _at(*path: str) -> Any:
    return Field(validation_alias=AliasPath(*path))


class _Ended(BaseModel):
    """The field `played_at` of Spotify's play history object: the end of the play."""

    played_at: Annotated[AwareDatetime, AfterValidator(_milliseconds)]


class _Row(_Ended):
    """The fields of a `Play` in Spotify's play history object; only uri and end are required.

    Apps made since 2026 get no popularity and no ISRC.
    """

    track_uri: Annotated[ForeignTrackUri, _at("track", "uri")]
    track_name: Annotated[Text, _at("track", "name"), _OrEmpty] = ""
    artist_name: Annotated[str, _at("track", "artists"), WrapValidator(_first_name)] = ""
    album_name: Annotated[Text | None, _at("track", "album", "name"), _Optional] = None
    popularity: Annotated[
        Annotated[int, Field(ge=0, le=100)] | None, _at("track", "popularity"), _Optional
    ] = None
    duration_ms: Annotated[Milliseconds | None, _at("track", "duration_ms"), _Optional] = None
    isrc: Annotated[Text | None, _at("track", "external_ids", "isrc"), _Optional] = None
    context_uri: Annotated[Text | None, _at("context", "uri"), _Optional] = None
