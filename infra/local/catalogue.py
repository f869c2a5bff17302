"""An endless catalogue of invented tracks, the same in every process.

A track is computed from its number alone, and its number from its Spotify id. So the simulators
know every track that a sample history names, however long it is, and nothing is stored. Lower
numbers are played more often (see `sample_history.person` and `simulators.listener`).

Tracks lie in blocks of 4,096: 128 artists, each with 4 albums of 8 tracks, shuffled, so that the
tracks played most often belong to many artists.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Literal

from infra.local import names

VARIOUS_ARTISTS = "Various Artists"

Kind = Literal["track", "artist", "album", "playlist", "episode", "show"]

_KINDS: tuple[Kind, ...] = ("track", "artist", "album", "playlist", "episode", "show")
_NUMBERS = 2**40
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 22
_PAIRS = tuple(first + second for first in _BASE62 for second in _BASE62)
_VALUES = {digit: value for value, digit in enumerate(_BASE62)}
_ID_SPACE = 2**128
# Odd, so that it has an inverse modulo the id space.
_SCATTER = 0xD1342543DE82EF95A3C59AC2F5D4E6B7
_GATHER = pow(_SCATTER, -1, _ID_SPACE)

_BLOCK = 4_096
_TRACKS_PER_ARTIST = 32
_TRACKS_PER_ALBUM = 8
_DESIGNATIONS = 100_000


@dataclass(frozen=True, slots=True)
class Artist:
    """An artist."""

    artist_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Album:
    """A release; `released` has the precision of a year, a month or a day, as Spotify's do."""

    album_id: str
    name: str
    artist: Artist
    released: str


@dataclass(frozen=True, slots=True)
class Track:
    """A track, with the fields that the simulated services show."""

    number: int
    track_id: str
    name: str
    artists: tuple[Artist, ...]
    album: Album
    track_number: int
    duration_ms: int
    isrc: str
    explicit: bool

    @property
    def uri(self) -> str:
        """The track's Spotify URI."""
        return f"spotify:track:{self.track_id}"


def dice(*seed: object) -> Random:
    """Return a random generator that gives the same sequence for the same seed."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - repeatable on purpose, guards no secret


def id_of(kind: Kind, number: int) -> str:
    """Return the Spotify id (22 base-62 digits) of the item with a kind and a number."""
    rest = _scatter(_KINDS.index(kind), number)
    digits = ""
    for _ in range(_ID_LENGTH // 2):
        rest, pair = divmod(rest, 62 * 62)
        digits = _PAIRS[pair] + digits
    return digits


def find_track(track_id: str) -> Track | None:
    """Return the track with a Spotify id; None if the catalogue has none."""
    number = find_number(track_id)
    return None if number is None else track(number)


def find_number(track_id: str) -> int | None:
    """Return the number of the track with a Spotify id; None if the catalogue has none."""
    if len(track_id) != _ID_LENGTH:
        return None
    scattered = 0
    try:
        for digit in track_id:
            scattered = scattered * 62 + _VALUES[digit]
    except KeyError:
        return None
    number = scattered * _GATHER % _ID_SPACE - 1
    # A track's kind is 0, so the number needs no further decoding. 22 digits hold more than 128
    # bits, so a larger id would wrap to that of another track.
    return number if scattered < _ID_SPACE and 0 <= number < _NUMBERS else None


@lru_cache(maxsize=1_000)
def track(number: int) -> Track:
    """Compute the track with a number."""
    block, place = divmod(number, _BLOCK)
    slot = block * _BLOCK + place * 2_477 % _BLOCK
    artist, position = divmod(slot, _TRACKS_PER_ARTIST)
    noise = noise_of("track", number)
    guests = (_artist(artist ^ 1),) if noise[5] < 256 // 10 else ()
    return Track(
        number=number,
        track_id=id_of("track", number),
        name=names.track_title(artist, position, noise),
        artists=(_artist(artist), *guests),
        album=_album(slot // _TRACKS_PER_ALBUM),
        track_number=slot % _TRACKS_PER_ALBUM + 1,
        duration_ms=90_000 + int.from_bytes(noise[6:9]) % 240_000,
        isrc=isrc_of(number),
        explicit=noise[10] < 256 // 8,
    )


def isrc_of(number: int) -> str:
    """Return the ISRC of a track: country, registrant, year of reference, designation."""
    registrant, designation = divmod(number, _DESIGNATIONS)
    letters = "".join(_BASE62[10 + registrant // 26**place % 26] for place in (2, 1, 0))
    return f"QZ{letters}{number * 7 % 27:02}{designation:05}"


def known_to_reccobeats(number: int) -> bool:
    """True if ReccoBeats knows a track; it knows four of five."""
    return number % 5 != 4  # noqa: PLR2004 - the last of each five


@lru_cache(maxsize=5_000)
def _artist(number: int) -> Artist:
    """Compute the artist with a number."""
    return Artist(id_of("artist", number), names.artist_name(number))


@lru_cache(maxsize=5_000)
def _album(number: int) -> Album:
    """Compute an album; one in sixteen is a compilation credited to Various Artists."""
    artist, album = divmod(number, _TRACKS_PER_ARTIST // _TRACKS_PER_ALBUM)
    noise = noise_of("album", number)
    name = names.album_name(artist, album, noise)
    released = f"{1998 + noise[3] % 27}-{noise[4] % 12 + 1:02}-{noise[5] % 28 + 1:02}"
    return Album(
        album_id=id_of("album", number),
        name=name,
        artist=Artist(id_of("artist", 0), VARIOUS_ARTISTS)
        if noise[6] < 256 // 16
        else _artist(artist),
        released=released[: (4, 7, 10, 10)[noise[7] % 4]],
    )


def _scatter(kind: int, number: int) -> int:
    """Map an item's kind and number to 128 random-looking bits; the mapping is reversible."""
    return (kind * _NUMBERS + number + 1) * _SCATTER % _ID_SPACE


def noise_of(*thing: object, size: int = 16) -> bytes:
    """Return `size` random-looking bytes, the same for the same input."""
    return blake2b(" ".join(map(str, thing)).encode(), digest_size=size).digest()
