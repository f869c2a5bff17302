"""What Spotify's answers look like, and how to read them; pure.

Wire names stop here: callers get plays and grants.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WrapValidator,
)

from shared.errors import SpotifyError
from shared.models import Milliseconds, Play, Text, TrackUri

PAGE_ROWS = 50
"""Spotify shows the newest 50 plays and none before them."""

Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]
"""Printable ASCII: what an HTTP header can carry."""


@dataclass(frozen=True)
class Grant:
    """What a refresh token gave; `refresh_token` is the one to use from now on, if it changed."""

    access_token: str = field(repr=False)
    expires_in_s: int
    refresh_token: str | None = field(repr=False)


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

    @property
    def is_full(self) -> bool:
        """Whether there may be older plays that Spotify does not show."""
        return self.returned >= PAGE_ROWS


def read_grant(content: bytes) -> Grant:
    """Read the token endpoint's answer; raises SpotifyError without quoting it."""
    try:
        answer = _TokenAnswer.model_validate_json(content)
    except ValidationError:
        raise SpotifyError("the token endpoint gave no token that can be read") from None
    return Grant(answer.access_token, answer.expires_in, answer.refresh_token)


def read_grant_refusal(content: bytes) -> tuple[str, str]:
    """Read the token endpoint's refusal: its code and its words; both empty if it is none."""
    try:
        refusal = _GrantRefusal.model_validate_json(content)
    except ValidationError:
        return "", ""
    return refusal.error, refusal.error_description or ""


def is_api_error(content: bytes) -> bool:
    """Tell the Web API's own refusal from the plain text with which it refuses an account."""
    try:
        _ApiRefusal.model_validate_json(content)
    except ValidationError:
        return False
    return True


def read_recently_played(content: bytes) -> RecentlyPlayed:
    """Read an answer row by row: one that is no readable track does not hide the others.

    Raises:
        SpotifyError: It is no answer of recently-played: says nothing about what was played.
    """
    try:
        # json, not pydantic: a lone surrogate in one title must not fail the whole answer.
        rows = _Page.model_validate(json.loads(content)).items
    except (ValueError, RecursionError) as error:
        raise SpotifyError("recently-played gave no page that can be read") from error
    plays, unreadable = [], []
    for row in rows:
        try:
            plays.append(_Row.model_validate(row).play())
        except (ValidationError, OverflowError):
            unreadable.append(_digest(row))
    # Spotify lists the newest play first; batches promise the oldest first.
    plays.sort(key=lambda play: play.played_at)
    return RecentlyPlayed(content, tuple(plays), len(rows), tuple(unreadable))


def _digest(row: Any) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def _milliseconds(instant: datetime) -> datetime:
    instant = instant.astimezone(UTC)
    return instant.replace(microsecond=instant.microsecond // 1_000 * 1_000)


def _or_none(value: Any, validate: Callable[[Any], Any]) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


# What may be missing may also be odd: then it is unknown, and the play stays.
_Optional = WrapValidator(_or_none)


class _TokenAnswer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: Secret
    expires_in: Annotated[int, Field(ge=0, le=10**9)]
    refresh_token: Secret | None = None


class _GrantRefusal(BaseModel):
    """A flat OAuth error, unlike the nested one of the Web API."""

    error: str
    error_description: str | None = None


class _ApiRefusal(BaseModel):
    error: Any


class _Page(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    items: list[Any]


class _Named(BaseModel):
    name: Annotated[Text | None, _Optional] = None


class _ExternalIds(BaseModel):
    isrc: Text | None = None


class _Context(BaseModel):
    uri: Text | None = None


class _Track(BaseModel):
    """A track object; without `popularity` and `external_ids` for apps made since 2026."""

    uri: TrackUri
    name: Annotated[Text | None, _Optional] = None
    artists: Annotated[list[_Named] | None, _Optional] = None
    album: Annotated[_Named | None, _Optional] = None
    duration_ms: Annotated[Milliseconds | None, _Optional] = None
    popularity: Annotated[Annotated[int, Field(ge=0, le=100)] | None, _Optional] = None
    external_ids: Annotated[_ExternalIds | None, _Optional] = None


class _Row(BaseModel):
    """A play history object."""

    played_at: Annotated[AwareDatetime, AfterValidator(_milliseconds)]
    track: _Track
    context: Annotated[_Context | None, _Optional] = None

    def play(self) -> Play:
        track = self.track
        artist = track.artists[0] if track.artists else _Named()
        return Play(
            track_uri=track.uri,
            # A name may be missing; the uri and the instant alone make it a play.
            track_name=track.name or "",
            artist_name=artist.name or "",
            album_name=track.album.name if track.album else None,
            played_at=self.played_at,
            popularity=track.popularity,
            duration_ms=track.duration_ms,
            isrc=track.external_ids.isrc if track.external_ids else None,
            context_uri=self.context.uri if self.context else None,
        )
