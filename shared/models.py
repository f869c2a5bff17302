"""The words of the domain: plays, their batches, reports and audio features.

These models are also the wire format of the two queues. A queue outlives a release, so a new
field has a default, readers ignore fields they do not know, and `schema_version` changes only
when an old reader could no longer understand a message.
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

Features come on top in enriched-plays: 300 kB at most, and SQS takes 1 MiB.
"""

INT4_MAX = 2**31 - 1
"""The largest value of a Postgres `integer`."""

Listener = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Whose listening it is: a short name that is safe in keys, file names and secret names."""

# Postgres text cannot hold NUL, and a title beyond any real one is a broken row.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2_000)]
# Wider than Spotify's own ids, because a queue and a table hold what earlier releases took. Every
# letter is safe in lists that commas separate.
TrackUri = Annotated[str, StringConstraints(pattern=r"^spotify:track:[0-9A-Za-z_.~-]{1,200}$")]
TRACK_URI_LENGTH = len("spotify:track:") + 22

PLACEHOLDERS = frozenset({"", "null", "undefined", "none", "nan"})
"""What programs write for an id that they do not have, in lower case."""


def has_usual_id(track_uri: str) -> bool:
    """True if the id of a `TrackUri` is 22 base-62 digits, as all of Spotify's are.

    A play of another one loads and is counted; no source is asked for its features.
    """
    return len(track_uri) == TRACK_URI_LENGTH and track_uri[-22:].isalnum()


def is_placeholder(text: str) -> bool:
    """True if a text stands for an id that is not there."""
    return text.strip().lower() in PLACEHOLDERS


def _no_placeholder(track_uri: str) -> str:
    if is_placeholder(track_uri.rpartition(":")[2]):
        raise ValueError("a placeholder, not an id")
    return track_uri


# In two ways, because a call of Python for each play would cost a few percent of a backfill.
ForeignTrackUri = Annotated[
    Annotated[str, StringConstraints(pattern=r"^spotify:track:[0-9A-Za-z]{22}$")]
    | Annotated[TrackUri, AfterValidator(_no_placeholder)],
    Field(union_mode="left_to_right"),
]
"""The type of a uri in a row of Spotify's: a placeholder is refused there, and only there."""
Ratio = Annotated[float, Field(ge=0, le=1)]


def _or_unknown(measure: float) -> float | None:
    return measure if isfinite(measure) else None


# JSON can say 1e999, and some servers say NaN: no measure, but no reason to lose its neighbours.
Finite = AfterValidator(_or_unknown)
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[int, Field(ge=0, le=INT4_MAX)]
# Code adds to and subtracts from instants, and beyond the ends of datetime there is nothing.
BoundedInstant = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))
]
PlayedAt = BoundedInstant

Source = Literal["recently-played", "extended-history"]


class Message(BaseModel):
    """Base of everything that travels through a queue."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Play(Message):
    """One track listened to once, as one source tells it.

    `played_at` is the END of the play, in UTC, to the millisecond (measured over real polls:
    7,043 gaps between plays fit the end, 44 the start). `ms_played` is None from the API, which
    never tells it. Names are as the source gave them: the export names the album's artist.
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
    """A stretch of time in which plays may have been missed; `started_at` tells a listener's apart.

    It is told of more than once: when it begins (`ended_at` is None while it goes on), when it
    ends, and when it proves that nothing was missed after all (`is_closed`). The loader puts the
    tellings together, whatever order they come in.
    """

    started_at: BoundedInstant
    """The end of the last play before which none is missing."""
    ended_at: BoundedInstant | None = None
    reason: str
    is_closed: bool = False


class PollReport(Message):
    """What one poll of recently-played saw; counts are of the answer's rows."""

    kind: Literal["poll"] = "poll"
    polled_at: AwareDatetime
    returned: Count
    new: Count
    late: Count
    """New, though older than a play that was already known."""
    moved: Count
    """Known, but at a `played_at` that differs by less than a second."""
    unreadable: Count = 0
    """Rows that were no readable track; they are kept in the archive."""
    gap: Gap | None = None
    """The gap that this poll found, ended, or closed."""
    closed: tuple[Gap, ...] = ()
    """Gaps that earlier polls found, and that this one closed."""


class OutageReport(Message):
    """That Spotify could not be asked for so long that plays may have slipped out of its window."""

    kind: Literal["outage"] = "outage"
    gap: Gap


class FileProblem(Message):
    """Why one file of an upload, or the rest of it, could not be read."""

    file: str
    reason: str


class Span(Message):
    """A time that an upload tells of, from the end of one play to the end of another."""

    started_at: AwareDatetime
    ended_at: AwareDatetime


class UploadReport(Message):
    """Where every row of one upload went: rows_in = published + skipped + quarantined."""

    kind: Literal["upload"] = "upload"
    rows_in: Count
    published: Count
    skipped: dict[str, Count] = {}
    """Rows that are not plays of a track, by reason."""
    quarantined: dict[str, Count] = {}
    """Rows that could not be read, by reason; kept in the archive under `quarantine/`."""
    files: tuple[str, ...] = ()
    problems: tuple[FileProblem, ...] = ()
    batches: Count
    """How many batches this origin was published in, the one with this report included."""
    first_played_at: AwareDatetime | None = None
    last_played_at: AwareDatetime | None = None
    spans: tuple[Span, ...] = ()
    """What the files of music cover that were read whole: a gap within one span is closed."""
    unusual_ids: Count = 0
    """Published plays whose track id is not 22 base-62 digits; they load like the others."""


Report = Annotated[PollReport | OutageReport | UploadReport, Field(discriminator="kind")]


class PlayBatch(Message):
    """A message of the queue `collected-plays`: plays of one listener from one origin.

    `origin` is the S3 key that the plays came from, for an upload with `?versionId=…`, so that
    the same file uploaded again is another origin. `number` counts the batches of an origin from
    0. The last batch of an origin carries the `report`, and may be empty of plays.
    """

    schema_version: Literal[1] = 1
    listener: Listener
    source: Source
    origin: Text
    number: Count
    plays: tuple[Play, ...] = Field(default=(), max_length=PLAYS_PER_BATCH)
    report: Report | None = None


class TrackFeatures(Message):
    """How a track sounds, under Spotify's own names; what is unknown is None, never zero.

    `loudness` is in dB, `tempo` in beats per minute, `key` a pitch class (0 = C, -1 = none),
    `mode` 1 for major. `time_signature` has no bounds: real data holds values that Spotify's
    description excludes.
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
    """0 to 100; another source than the one of the sound may tell it."""
    popularity_source: str | None = None
    """Who told the popularity, if another than `source`; most often one answer tells both."""
    popularity_fetched_at: AwareDatetime | None = None
    """When, if it is another instant than `fetched_at`."""
    source: str
    """Who told how the track sounds, or, where nobody did, all the rest."""
    fetched_at: AwareDatetime


class EnrichedBatch(PlayBatch):
    """A message of the queue `enriched-plays`: the same plays, and what is known of their tracks.

    A healing batch has features alone: no plays, no listener and no source, for a track belongs to
    nobody (docs/adr/0005-a-healing-batch-has-no-listener.md).
    """

    listener: Listener | None = None  # type: ignore[assignment]  # wider than a collected batch's
    source: Source | None = None  # type: ignore[assignment]  # likewise
    features: tuple[TrackFeatures, ...] = ()

    @model_validator(mode="after")
    def _plays_are_somebodys(self) -> Self:
        if (self.plays or self.report) and not (self.listener and self.source):
            raise ValueError("plays and reports need a listener and a source")
        return self


def iso(instant: datetime) -> str:
    """Write an instant as Spotify does: UTC, milliseconds, `Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
