"""The inputs of the views of schema `reporting`: the rows of the tables, and the time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]


@dataclass
class World:
    """The inputs of every view, as plain values.

    Attributes:
        now: The time at which the views are read.
        plays: Rows of listening_history by column name.
        features: Rows of track_features by track URI.
        zones: Time zone names by listener.
        polls: Listener and instant of each poll.
        gaps: Listener, start and end of each open gap; the end is None until the gap ends.
        spans: Listener, start and end of each span of the completely loaded uploads.
        loads: Listener and instant of each loaded batch.
    """

    now: datetime
    plays: list[Row]
    features: dict[str, Row] = field(default_factory=dict)
    zones: dict[str, str] = field(default_factory=dict)
    polls: list[tuple[str, datetime]] = field(default_factory=list)
    gaps: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    spans: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    loads: list[tuple[str, datetime]] = field(default_factory=list)

    def listeners(self) -> list[str]:
        """Return the listeners that have a play or a poll."""
        return sorted({row["listener"] for row in self.plays} | {who for who, _ in self.polls})
