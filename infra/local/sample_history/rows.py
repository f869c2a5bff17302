"""The rows of a history before any layout, and how often oddities occur among them.

The shares are those measured over 106,745 records of 29 real accounts.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["track", "episode", "audiobook", "unnamed"]

DEVICES = 6
"""How many devices the person owns; see `records.PLATFORMS`."""

ODD_OFFLINE = 1_000
"""An `offline_timestamp` below this is no time at all."""

SHORT_MS = 30_000
"""A play below this is a skip."""


@dataclass(frozen=True)
class Shares:
    """How often each oddity occurs, as a share of the records.

    The defaults are measured over all records; podcasts and audiobooks are assumed, and how often
    something new is played is fitted. Of so many plays these are of different tracks (here: of
    three people in the mean):

    | plays | real | here |
    |---|---|---|
    | 507, video files in the mean | 52 % | 56 % |
    | 2,135, all files in the mean | 35 % | 35 % |
    | 71,052, one export | 17 % | 17 % |
    | 77,800, one export | 21 % | 16 % |
    | 149,860, one export | 10 % | 15 % |

    So no share fits that is the same for every length. The three whole exports are those whose
    owners or analysts published the counts: 11,803, 16,230 and 14,637 tracks. The last is Maven
    Analytics' public data set "Spotify Streaming History", the others are analyses on GitHub.
    """

    discount: float = 0.75
    """The share of new tracks is (concentration + discount * tracks) / (plays + concentration)."""
    concentration: float = 15
    same_second: float = 0.1255
    """Records that share their ts with another; most often a different item."""
    again: float = 0.0032
    """Records that repeat both ts and item."""
    again_whole: float = 0.41
    """Of these: repeated with every field."""
    zero: float = 0.0455
    """Records with `ms_played` 0."""
    short: float = 0.5198
    """Records below 30 s, those of 0 among them."""
    podcast: float = 0.02
    audiobook: float = 0.001
    unnamed: float = 0.007
    """Records without any uri or name."""
    odd_offline: float = 0.0005
    """Records whose `offline_timestamp` is a small number that is no time at all."""


AUDIO = Shares()
"""The shares of audio files."""

VIDEO = Shares(
    same_second=0.1993,
    again=0.0272,
    zero=0.3207,
    short=0.6879,
    podcast=0.85,
    audiobook=0.0,
    unnamed=0.0567,
)
"""The shares of video files, which hold podcasts mostly."""


class Session(NamedTuple):
    """What stays the same from one play to the next."""

    device: int
    country: str
    address: int
    """Last part of the IP address."""
    shuffle: bool
    offline: bool
    incognito: bool


class Row(NamedTuple):
    """One record of a history, before any layout."""

    ended_s: int
    """When the play ended, in Unix seconds."""
    kind: Kind
    number: int
    """Of the track or episode within its kind."""
    ms_played: int
    reason_start: str | None
    reason_end: str | None
    offline_s: int | None
    """What the device took for the start of the play, in Unix seconds; small ones are no time."""
    session: Session
