"""The models of plays, batches, reports and audio features; the messages of the two queues.

A queue outlives a release. So a new field has a default, readers ignore unknown fields, and
`schema_version` changes only if an old reader could not read a message.
"""

from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

PLAYS_PER_BATCH = 500
"""Most plays in one message."""

BATCH_BYTES = 240_000
"""Most bytes in one message of collected-plays, below the 262,144 that every tool accepts.

In enriched-plays features add 300 kB at most, and SQS takes 1 MiB.
"""

INT4_MAX = 2**31 - 1
"""The largest value of a Postgres `integer`."""

Listener = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""The name of a listener, which is safe in S3 keys, file names and secret names."""

# Postgres text cannot hold NUL, and no real title is longer.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2_000)]
# Wider than Spotify's ids, because earlier releases stored others. Every character is safe in
# comma-separated lists.
TrackUri = Annotated[str, StringConstraints(pattern=r"^spotify:track:[0-9A-Za-z_.~-]{1,200}$")]
TRACK_URI_LENGTH = len("spotify:track:") + 22

PLACEHOLDERS = frozenset({"", "null", "undefined", "none", "nan"})
"""What programs write for a missing id, in lower case."""


def has_usual_id(track_uri: str) -> bool:
    """True if the id of a `TrackUri` is 22 base-62 digits, as all ids of Spotify are.

    A play with another id is loaded, but no source is asked for its features.
    """
    return len(track_uri) == TRACK_URI_LENGTH and track_uri[-22:].isalnum()


def is_placeholder(text: str) -> bool:
    """True if a text is empty, or a word such as `null` that programs write for a missing id."""
    return text.strip().lower() in PLACEHOLDERS


def _no_placeholder(track_uri: str) -> str:
    if is_placeholder(track_uri.rpartition(":")[2]):
        raise ValueError("the track uri ends in a placeholder such as null, not in an id")
    return track_uri


# The first alternative needs no Python call, which would add a few percent to a backfill.
ForeignTrackUri = Annotated[
    Annotated[str, StringConstraints(pattern=r"^spotify:track:[0-9A-Za-z]{22}$")]
    | Annotated[TrackUri, AfterValidator(_no_placeholder)],
    Field(union_mode="left_to_right"),
]
"""A track uri in a row from Spotify; a placeholder instead of the id is refused."""
Ratio = Annotated[float, Field(ge=0, le=1)]


def _or_unknown(measure: float) -> float | None:
    return measure if isfinite(measure) else None


# JSON can hold 1e999, and some servers write NaN: such a value is unknown, the others stay.
Finite = AfterValidator(_or_unknown)
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[int, Field(ge=0, le=INT4_MAX)]
# Bounded, because arithmetic near the first and last datetime overflows.
BoundedInstant = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))
]
PlayedAt = BoundedInstant

Source = Literal["recently-played", "extended-history"]


class Message(BaseModel):
    """Base of all queue messages and their parts."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Play(Message):
    """One track listened to once, according to one source.

    `played_at` is the END of the play, in UTC, in milliseconds (measured over real polls: 7,043
    intervals between plays fit the end, 44 the start). `ms_played` is None for a play from the API,
    which does not have it. Names are those of the source: an export names the artist of the album.
    """

    track_uri: TrackUri
    track_name: Text
    artist_name: Text
    album_name: Text | None = None
    played_at: PlayedAt
    ms_played: Milliseconds | None = None
    popularity: Annotated[int, Field(ge=0, le=100)] | None = None
    duration_ms: Milliseconds | None = None
    isrc: Text | None = None
    context_uri: Text | None = None
    platform: Text | None = None
    country: Text | None = None
    reason_start: Text | None = None
    reason_end: Text | None = None
    shuffle: bool | None = None
    skipped: bool | None = None
    offline: bool | None = None
    incognito: bool | None = None


class Gap(Message):
    """A time in which plays may be missing; listener and `started_at` identify it.

    A gap is reported when it starts (`ended_at` is None), when it ends, and when an answer shows
    that no play is missing (`is_closed`). The loader merges these reports in any order.
    """

    started_at: BoundedInstant
    """The end of the last play before the gap."""
    ended_at: BoundedInstant | None = None
    reason: str
    is_closed: bool = False


class PollReport(Message):
    """The result of one poll; the counts are numbers of rows in Spotify's answer."""

    kind: Literal["poll"] = "poll"
    polled_at: AwareDatetime
    returned: Count
    new: Count
    late: Count
    """Those of the new plays that are older than the newest known play."""
    moved: Count
    """Known plays whose `played_at` has changed by less than a second."""
    unreadable: Count = 0
    """Rows without a readable track; the archive keeps them."""
    gap: Gap | None = None
    """The gap that this poll opened, ended or closed."""
    closed: tuple[Gap, ...] = ()
    """Gaps of earlier polls that this poll closed."""
    covers_from: BoundedInstant | None = None
    """Plays that ended before this came with earlier answers; None from older releases."""
    follows: BoundedInstant | None = None
    """The time of the last archived answer before this one; None if it is unknown."""
    is_first: bool = False
    """True if the collector knows of no earlier answer."""


class OutageReport(Message):
    """Reports a gap: Spotify gave no answer for so long that plays may be missing."""

    kind: Literal["outage"] = "outage"
    gap: Gap


class FileProblem(Message):
    """Why a file of an upload, or the rest of it, could not be read."""

    file: str
    reason: str


class Span(Message):
    """A time that an upload covers, from the end of one play to the end of another."""

    started_at: AwareDatetime
    ended_at: AwareDatetime


class UploadReport(Message):
    """The row counts of one upload: rows_in = published + skipped + quarantined."""

    kind: Literal["upload"] = "upload"
    rows_in: Count
    published: Count
    skipped: dict[str, Count] = {}
    """Rows that are not plays of a track, by reason."""
    quarantined: dict[str, Count] = {}
    """Unreadable rows by reason; the archive keeps them under `quarantine/`."""
    files: tuple[str, ...] = ()
    problems: tuple[FileProblem, ...] = ()
    batches: Count
    """The number of batches of this origin, including the one with this report."""
    first_played_at: AwareDatetime | None = None
    last_played_at: AwareDatetime | None = None
    spans: tuple[Span, ...] = ()
    """The time covered by music files that were read completely; a gap within a span is closed."""
    unusual_ids: Count = 0
    """Published plays whose track id is not 22 base-62 digits."""


Report = Annotated[PollReport | OutageReport | UploadReport, Field(discriminator="kind")]


class PlayBatch(Message):
    """A message of the queue `collected-plays`: plays of one listener from one origin.

    `origin` is the S3 key that the plays came from. For an upload it ends with `?versionId=…`, so
    a second upload of a file has another origin. `number` counts the batches of an origin from 0.
    The last batch of an origin carries the `report` and may have no plays.
    """

    schema_version: Literal[1] = 1
    listener: Listener
    source: Source
    origin: Text
    number: Count
    plays: tuple[Play, ...] = Field(default=(), max_length=PLAYS_PER_BATCH)
    report: Report | None = None


class TrackFeatures(Message):
    """The audio features of a track, under Spotify's names; unknown values are None, not zero.

    `loudness` is in dB, `tempo` in beats per minute, `key` a pitch class (0 = C, -1 = none),
    `mode` 1 for major. `time_signature` has wide bounds, because real data holds values that
    Spotify's documentation excludes.
    """

    track_uri: TrackUri
    danceability: Ratio | None = None
    energy: Ratio | None = None
    key: Annotated[int, Field(ge=-1, le=11)] | None = None
    loudness: Annotated[float, Finite] | None = None
    mode: Annotated[int, Field(ge=0, le=1)] | None = None
    speechiness: Ratio | None = None
    acousticness: Ratio | None = None
    instrumentalness: Ratio | None = None
    liveness: Ratio | None = None
    valence: Ratio | None = None
    tempo: Annotated[float, Field(ge=0), Finite] | None = None
    duration_ms: Milliseconds | None = None
    time_signature: Annotated[int, Field(ge=0, le=100)] | None = None
    popularity: Annotated[int, Field(ge=0, le=100)] | None = None
    """0 to 100."""
    popularity_source: str | None = None
    """The source of the popularity, if it is not `source`."""
    popularity_fetched_at: AwareDatetime | None = None
    """The time of the popularity, if it is not `fetched_at`."""
    source: str
    """The source of the audio features, or of the other values if these are unknown."""
    fetched_at: AwareDatetime


class EnrichedBatch(PlayBatch):
    """A message of the queue `enriched-plays`: a batch's plays, and the features of their tracks.

    A healing batch has features only, without plays, listener or source
    (docs/adr/0005-a-healing-batch-has-no-listener.md).
    """

    listener: Listener | None = None  # type: ignore[assignment]  # wider than a collected batch's
    source: Source | None = None  # type: ignore[assignment]  # likewise
    features: tuple[TrackFeatures, ...] = ()

    @model_validator(mode="after")
    def _plays_need_a_listener(self) -> Self:
        if (self.plays or self.report) and not (self.listener and self.source):
            raise ValueError("a batch with plays or a report needs a listener and a source")
        return self


def iso(instant: datetime) -> str:
    """Format an instant as Spotify does: UTC, milliseconds, `Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
