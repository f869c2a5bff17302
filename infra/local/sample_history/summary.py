"""The counts of an export, for those who load it to compare with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from infra.local.sample_history.rows import Row


@dataclass(frozen=True)
class HistorySummary:
    """The counts of a history export; rows = music + podcasts + audiobooks + unnamed."""

    rows: int
    music: int
    """Records of a track."""
    podcasts: int
    audiobooks: int
    unnamed: int
    """Records without a uri or name."""
    distinct_plays: int
    """Different (ts, uri) among the records of tracks: the number of plays that a loader keeps."""
    distinct_tracks: int


class Tally:
    """A summary while the files are written."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._tracks: set[int] = set()
        self._distinct_plays = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count the rows of one file."""
        self._kinds.update(row.kind for row in rows)
        plays = {(row.ended_s, row.number) for row in rows if row.kind == "track"}
        self._distinct_plays += len(plays)
        self._tracks.update(number for _, number in plays)

    def summary(self) -> HistorySummary:
        """Return the counts of all files so far, which have no play in common."""
        return HistorySummary(
            rows=self._kinds.total(),
            music=self._kinds["track"],
            podcasts=self._kinds["episode"],
            audiobooks=self._kinds["audiobook"],
            unnamed=self._kinds["unnamed"],
            distinct_plays=self._distinct_plays,
            distinct_tracks=len(self._tracks),
        )
