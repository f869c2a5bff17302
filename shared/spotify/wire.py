"""What Spotify's answers look like, and how to read them; pure.

Wire names stop here: callers get plays and grants.
"""

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
"""Spotify shows the newest 50 plays and none before them."""

OTHER_KINDS = ("spotify:local:", "spotify:episode:", "spotify:chapter:")
"""URIs of what can be played and is no track: a file, a podcast episode, a part of an audiobook."""

Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]
"""Printable ASCII: what an HTTP header can carry."""


TOKEN_LIFETIME_S = 3_600
"""The lifetime of an access token if the answer gives none: those of Spotify live for an hour. One
that dies earlier costs a call, because its 401 has it replaced."""

TOKEN_MARGIN = timedelta(minutes=1)
"""So much of an access token's life is not used: the clocks differ, and a call takes its time."""


@dataclass(frozen=True)
class Grant:
    """What a refresh token gave; `refresh_token` is the one to use from now on, if it changed."""

    access_token: str = field(repr=False)
    expires_in_s: int
    refresh_token: str | None = field(repr=False)


class HiddenRow(NamedTuple):
    """A row that cannot be read and may be a lost play; no local file, and no episode."""

    digest: str
    newer: int
    """The number of plays that stand before it, thus are newer."""
    played_at: datetime | None
    """When the play ended, if at least that can be read."""


@dataclass(frozen=True)
class RecentlyPlayed:
    """An answer of recently-played: its bytes, and what they say.

    `plays` stand oldest first and may repeat; `unreadable` holds a digest of each row that was
    no readable track, and `returned` counts the rows of both kinds.
    """

    raw: bytes
    plays: tuple[Play, ...]
    returned: int
    unreadable: tuple[str, ...] = ()
    hidden: tuple[HiddenRow, ...] = ()
    """The rows that may be lost plays, newest first."""

    @property
    def hides_plays(self) -> bool:
        """True if a row that cannot be read may be a play."""
        return bool(self.hidden)

    @property
    def unbroken(self) -> tuple[Play, ...]:
        """The newest plays, without those that an unreadable row parts from them."""
        older = len(self.plays) - self.hidden[0].newer if self.hidden else 0
        return self.plays[older:]

    @property
    def is_full(self) -> bool:
        """Whether there may be older plays that Spotify does not show."""
        return self.returned >= PAGE_ROWS


def read_grant(content: bytes) -> Grant:
    """Read the token endpoint's answer.

    Only an access token is needed. Whatever else is missing or odd counts as not given.

    Raises:
        SpotifyError: It holds no access token. Nothing of the answer goes with the error.
    """
    answer = _or_none(read_json(content), _TokenAnswer.model_validate)
    if answer is None:
        raise SpotifyError("the token endpoint gave no token that can be read")
    lifetime_s = TOKEN_LIFETIME_S if answer.expires_in is None else int(answer.expires_in)
    return Grant(answer.access_token, lifetime_s, answer.refresh_token)


def read_recently_played(content: bytes) -> RecentlyPlayed:
    """Read an answer row by row: one that is no readable track does not hide the others.

    Raises:
        SpotifyError: It is no answer of recently-played: says nothing about what was played.
    """
    page = _or_none(read_json(content), _Page.model_validate)
    if page is None:
        raise SpotifyError("recently-played gave no page that can be read")
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
    # Spotify lists the newest play first; batches promise the oldest first.
    plays.sort(key=lambda play: play.played_at)
    return RecentlyPlayed(content, tuple(plays), len(rows), tuple(unreadable), tuple(hidden))


def _is_no_track(row: Any) -> bool:
    """True if a row says that it is the play of something else than a track of Spotify's."""
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


# What may be missing may also be odd: then it is unknown, and the play stays.
_Optional = WrapValidator(_or_none)
_OrEmpty = WrapValidator(lambda value, validate: _or_none(value, validate) or "")

_LifetimeS = Annotated[float, Field(ge=TOKEN_MARGIN.total_seconds(), le=86_400)]


class _TokenAnswer(BaseModel):
    access_token: Secret
    # Less than the margin would replace the token at each call; more than a day is no lifetime.
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
    """The part of a play history object that says when the play ended."""

    played_at: Annotated[AwareDatetime, AfterValidator(_milliseconds)]


class _Row(_Ended):
    """The fields of a `Play` in a play history object.

    The uri and the instant alone make it a play. Apps made since 2026 get no popularity and no
    ISRC.
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
