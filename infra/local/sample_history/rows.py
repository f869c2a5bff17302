"""The rows of a history before any layout, and how often oddities occur among them.

The shares are those measured over 106,745 records of 29 real accounts.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["track", "episode", "audiobook", "unnamed"]

DEVICES = 6
"""How many devices the person owns; see `records.PLATFORMS`."""

ODD_OFFLINE = 1_000
"""An `offline_timestamp` below this is not a valid time."""

SHORT_MS = 30_000
"""A play below this is a skip."""


@dataclass(frozen=True)
class Shares:
    """How often each oddity occurs, as a share of the records.

    The defaults are measured over all records, except that podcasts and audiobooks are assumed, and
    the share of new tracks is fitted. Distinct tracks as a share of plays (simulated: mean of three
    people):

    | plays | real | simulated |
    |---|---|---|
    | 507, video files in the mean | 52 % | 56 % |
    | 2,135, all files in the mean | 35 % | 35 % |
    | 71,052, one export | 17 % | 17 % |
    | 77,800, one export | 21 % | 16 % |
    | 149,860, one export | 10 % | 15 % |

    So no constant share fits all lengths. The three whole exports are those whose
    owners or analysts published the counts: 11,803, 16,230 and 14,637 tracks. The last is Maven
    Analytics' public data set "Spotify Streaming History", the others are analyses on GitHub.
    """

    discount: float = 0.75
    """The share of new tracks is (concentration + discount * tracks) / (plays + concentration)."""
    concentration: float = 15
    same_second: float = 0.1255
    """Records that share their ts with another record, most often of a different item."""
    again: float = 0.0032
    """Records that repeat both ts and item."""
    again_whole: float = 0.41
    """The share of these that repeat every field."""
    zero: float = 0.0455
    """Records with `ms_played` 0."""
    short: float = 0.5198
    """Records below 30 s, including those with 0."""
    podcast: float = 0.02
    audiobook: float = 0.001
    unnamed: float = 0.007
    """Records without any uri or name."""
    odd_offline: float = 0.0005
    """Records whose `offline_timestamp` is a small number that is not a valid time."""


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
"""The shares of video files, which mostly contain podcasts."""


class Session(NamedTuple):
    """The values that all plays of a session share."""

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
    """The number of the track or episode within its kind."""
    ms_played: int
    reason_start: str | None
    reason_end: str | None
    offline_s: int | None
    """The device's time of the play's start, Unix seconds; small numbers are not valid times."""
    session: Session
