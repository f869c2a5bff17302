"""The sizes of the functions, and how their queues feed them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

VISIBILITY_FACTOR = 6
"""Function timeouts for which a queue hides a message in work: AWS's advice for event sources."""

Seconds = Annotated[int, Field(ge=1, le=900)]
Megabytes = Annotated[int, Field(ge=128, le=10_240)]


class Part(BaseModel):
    """A part of the configuration: it never changes, and knows all its names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FunctionConfig(Part):
    """The size of one function; Lambda gives a whole core at 1,769 MB."""

    timeout_s: Seconds = 60
    memory_mb: Megabytes = 256
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 512


class ConsumerConfig(FunctionConfig):
    """A function that consumes a queue, and how that queue feeds it."""

    batch_size: Annotated[int, Field(ge=1, le=10)] = 10
    window_s: Annotated[int, Field(ge=0, le=300)] = 0
    """How long to wait for a batch to fill."""
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Attempts before a message becomes a dead letter."""
    visibility_s: Annotated[int, Field(ge=1, le=43_200)] | None = None
    """How long a message in work stays hidden, thus the pause before its next attempt."""

    @property
    def visibility_timeout_s(self) -> int:
        """How long a message in work stays hidden, by AWS's rule where nothing else is set."""
        return self.visibility_s or self.advised_visibility_s

    @property
    def advised_visibility_s(self) -> int:
        """How long AWS advises to hide a message in work."""
        return VISIBILITY_FACTOR * self.timeout_s + self.window_s

    @model_validator(mode="after")
    def _outlives_the_function(self) -> Self:
        if self.visibility_timeout_s < self.timeout_s:
            raise ValueError("visibility_s is shorter than timeout_s, which Lambda refuses")
        return self


class BackfillConfig(ConsumerConfig):
    """A whole core and the longest time there is.

    The disk holds the upload being read, 1 GiB at most, and its unreadable rows.
    """

    timeout_s: Seconds = 900
    memory_mb: Megabytes = 1_769
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 4_096
    batch_size: Annotated[int, Field(ge=1, le=1)] = 1
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 3


class EnricherConfig(ConsumerConfig):
    """The window gathers the plays of neighbouring polls: 40 tracks cost as many calls as one.

    The memory holds what the container remembers of tracks, up to 200 MB.
    """

    timeout_s: Seconds = 120
    memory_mb: Megabytes = 1_024
    window_s: Annotated[int, Field(ge=0, le=300)] = 3


class HealerConfig(FunctionConfig):
    """A healing asks source after source without a pause, so the number of tracks is its pace.

    2,000 tracks are 100 calls in a minute or so, then none until the next hour: other users of
    ReccoBeats, whose limit nobody published, pause for a second or two after each call.
    """

    timeout_s: Seconds = 300
    every_minutes: Annotated[int, Field(ge=2, le=1_440)] = 60
    most_tracks: Annotated[int, Field(ge=1)] = 2_000


class LoaderConfig(ConsumerConfig):
    """Ten attempts, six minutes apart: the database may be away for an hour."""

    memory_mb: Megabytes = 512
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 10


class MigratorConfig(FunctionConfig):
    """A migration may rewrite a table, so it gets longer than a load."""

    timeout_s: Seconds = 300


class DeriveConfig(FunctionConfig):
    """The longest time there is: on a small host all months of a large history take minutes."""

    timeout_s: Seconds = 900
    every_minutes: Annotated[int, Field(ge=2, le=1_440)] = 60


class QueriesConfig(FunctionConfig):
    """Time for a query that finds its connection dead, then runs its 25 s by another one.

    The memory holds a result of 5 MB as texts, as objects and as JSON.
    """

    timeout_s: Seconds = 90
    memory_mb: Megabytes = 512
