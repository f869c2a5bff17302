"""A listener who has always been listening and never stops: plays from a seed and the clock.

What was played at an instant depends on the seed alone, so a restart continues the same history.
Time is cut into blocks of ten minutes. Each holds 14 plays of 30 to 55 s, so that every minute
brings one or two, and short skips between them, which Spotify's web API never shows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from random import Random

from infra.local import catalogue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SHOWN_MS = 30_000
"""The web API shows only plays that lasted longer than this."""

_BLOCK_MS = 600_000
_PLAYS_PER_BLOCK = 14
_LONGEST_SKIP_MS = 4_000
_TRACKS = 1_500
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Listened:
    """One play, with everything that Spotify itself would know about it."""

    track_number: int
    started_at: datetime
    ended_at: datetime
    context_uri: str | None

    @property
    def ms_played(self) -> int:
        """How long the track played."""
        return (self.ended_at - self.started_at) // _MILLISECOND

    @property
    def shown(self) -> bool:
        """Whether the web API shows this play."""
        return self.ms_played > SHOWN_MS


class Listener:
    """One simulated person; the same seed gives the same person."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed

    def plays_until(self, now: datetime, most: int = 50) -> list[Listened]:
        """Return the last plays that the web API shows, oldest first.

        Args:
            now: Plays that end later are left out.
            most: Number of plays; there are always enough.
        """
        blocks_needed = most // _PLAYS_PER_BLOCK + 2
        start = now - timedelta(milliseconds=_BLOCK_MS * blocks_needed)
        return [play for play in self.plays_between(start, now) if play.shown][-most:]

    def plays_between(self, start: datetime, end: datetime) -> list[Listened]:
        """Return all plays that ended in (start, end], including skips, oldest first."""
        first, last = (((at - EPOCH) // _MILLISECOND) // _BLOCK_MS for at in (start, end))
        plays = [play for number in range(first, last + 1) for play in self._block(number)]
        return [play for play in plays if start < play.ended_at <= end]

    def _block(self, number: int) -> list[Listened]:
        """Return the plays that fill one block of ten minutes without a pause."""
        rng = catalogue.dice(self._seed, "block", number)
        lengths_ms = _lengths_ms(rng)
        bounds = accumulate(lengths_ms, initial=number * _BLOCK_MS)
        return [
            Listened(
                track_number=_track_number(rng),
                started_at=EPOCH + start_ms * _MILLISECOND,
                ended_at=EPOCH + end_ms * _MILLISECOND,
                context_uri=_context_uri(rng),
            )
            for start_ms, end_ms in pairwise(bounds)
        ]


def _lengths_ms(rng: Random) -> list[int]:
    """Divide a block into plays, some with a skip before them."""
    skips = [
        rng.randrange(_LONGEST_SKIP_MS) if rng.random() < 1 / 4 else None
        for _ in range(_PLAYS_PER_BLOCK)
    ]
    weights = [rng.uniform(0.87, 1.13) for _ in skips]
    left_ms = _BLOCK_MS - sum(skip or 0 for skip in skips)
    ends = [round(left_ms * part / sum(weights)) for part in accumulate(weights, initial=0.0)]
    plays = [end - start for start, end in pairwise(ends)]
    pairs = zip(skips, plays, strict=True)
    return [length for pair in pairs for length in pair if length is not None]


def _track_number(rng: Random) -> int:
    """Choose a track, low numbers far more often than high ones (Zipf's law)."""
    return int(_TRACKS ** rng.random()) - 1


def _context_uri(rng: Random) -> str | None:
    """Choose the context of a play, which is most often null."""
    if rng.random() < 0.7:  # noqa: PLR2004 - measured shares reach from 31 to 96 %
        return None
    kind: catalogue.Kind = rng.choice(("playlist", "album", "artist"))
    return f"spotify:{kind}:{catalogue.id_of(kind, rng.randrange(40))}"
