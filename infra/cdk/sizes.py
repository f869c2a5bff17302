"""Timeout, memory and disk of each function, and the settings of its queue and schedule."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

VISIBILITY_FACTOR = 6
"""Visibility timeout of a queue in function timeouts, as AWS recommends for event sources."""

Seconds = Annotated[int, Field(ge=1, le=900)]
Megabytes = Annotated[int, Field(ge=128, le=10_240)]


class Part(BaseModel):
    """Immutable settings; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FunctionConfig(Part):
    """The size of one function; Lambda gives a whole core at 1,769 MB."""

    timeout_s: Seconds = 60
    memory_mb: Megabytes = 256
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 512


class ConsumerConfig(FunctionConfig):
    """The size of a function that consumes a queue, and the settings of that queue."""

    batch_size: Annotated[int, Field(ge=1, le=10)] = 10
    window_s: Annotated[int, Field(ge=0, le=300)] = 0
    """Batching window."""
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Attempts before a message becomes a dead letter."""
    visibility_s: Annotated[int, Field(ge=1, le=43_200)] | None = None
    """Visibility timeout, which is also the delay before the next attempt."""

    @property
    def visibility_timeout_s(self) -> int:
        """The visibility timeout of the queue, by default the recommended one."""
        return self.visibility_s or self.advised_visibility_s

    @property
    def advised_visibility_s(self) -> int:
        """The visibility timeout that AWS recommends."""
        return VISIBILITY_FACTOR * self.timeout_s + self.window_s

    @model_validator(mode="after")
    def _outlives_the_function(self) -> Self:
        if self.visibility_timeout_s < self.timeout_s:
            raise ValueError(
                "visibility_s must be at least timeout_s, because Lambda refuses a shorter one"
            )
        return self


class BackfillConfig(ConsumerConfig):
    """The backfill gets one whole core and Lambda's longest timeout.

    Its disk holds the upload being read, 1 GiB at most, and the upload's unreadable rows.
    """

    timeout_s: Seconds = 900
    memory_mb: Megabytes = 1_769
    disk_mb: Annotated[int, Field(ge=512, le=10_240)] = 4_096
    batch_size: Annotated[int, Field(ge=1, le=1)] = 1
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 3


class EnricherConfig(ConsumerConfig):
    """The batching window collects the plays of several polls into one invocation.

    This saves calls, because up to 40 tracks take as many calls as one. The memory includes the
    cache of a Lambda container, up to 200 MB.
    """

    timeout_s: Seconds = 120
    memory_mb: Megabytes = 1_024
    window_s: Annotated[int, Field(ge=0, le=300)] = 3


class HealerConfig(FunctionConfig):
    """Healing does not pause between calls, so only `most_tracks` limits the calls of a run.

    2,000 tracks take 100 calls in about a minute, then none until the next hour. ReccoBeats does
    not publish its limit; other users pause for one or two seconds after each call.
    """

    timeout_s: Seconds = 300
    every_minutes: Annotated[int, Field(ge=2, le=1_440)] = 60
    most_tracks: Annotated[int, Field(ge=1)] = 2_000


class LoaderConfig(ConsumerConfig):
    """The loader gets ten attempts, six minutes apart, so the database may be down for an hour."""

    memory_mb: Megabytes = 512
    max_receives: Annotated[int, Field(ge=1, le=1_000)] = 10


class MigratorConfig(FunctionConfig):
    """A migration may rewrite a table, so its timeout is longer than the loader's."""

    timeout_s: Seconds = 300


class DeriveConfig(FunctionConfig):
    """A refresh gets Lambda's longest timeout.

    To derive all months of a large history takes minutes on a small database host.
    """

    timeout_s: Seconds = 900
    every_minutes: Annotated[int, Field(ge=2, le=1_440)] = 60


class QueriesConfig(FunctionConfig):
    """The timeout covers a query that fails on a dead connection and runs 25 s on a new one.

    The memory holds a result of 5 MB three times: as text, as objects and as JSON.
    """

    timeout_s: Seconds = 90
    memory_mb: Megabytes = 512
