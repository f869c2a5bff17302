"""The rules that decide whether two plays are of the same track; pure.

Spotify relinks tracks to other uris, so two plays are of the same track if one of these is equal:

1. the uri;
2. the ISRC, without dashes and spaces and in upper case, unless title and length both differ,
   because the movements of one work may share an ISRC. An unknown title or length (empty, or 0)
   does not differ from any other. A code of another form, such as "null", is not an ISRC;
3. title and artist after Unicode NFKC, case folding and trimming. For a compilation, which an
   export credits to "Various Artists", the album must be equal too.

Lengths are compared exactly, because no source says how much they vary for one recording.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import normalize

from shared.models import Play

COMPILATION = "various artists"
"""The artist of a compilation in an export, as returned by `normal`."""

ISRC = re.compile("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
"""Country, registrant, year and number (ISO 3901)."""

CACHED_CHARACTERS = 200
"""The longest name to cache. Longer ones are rare, and 10,000 of 2,000 characters take 160 MB."""


def is_same_track(one: Play, other: Play) -> bool:
    """True if two plays are of the same track. Symmetric, but not transitive."""
    if one.track_uri == other.track_uri:
        return True
    names = _names(one)
    if names and names == _names(other):
        return True
    isrc = _isrc(one)
    if not isrc or isrc != _isrc(other):
        return False
    titles_differ = _differ(normal(one.track_name), normal(other.track_name))
    return not (titles_differ and _differ(one.duration_ms, other.duration_ms))


def track_keys(play: Play) -> Iterator[object]:
    """Yield keys of a play; any two plays of the same track share at least one.

    Plays of different tracks may share a key too: the movements of one work share the ISRC.
    """
    yield play.track_uri
    if isrc := _isrc(play):
        yield "isrc", isrc
    if names := _names(play):
        yield names


def normal(name: str) -> str:
    """Normalize a name for comparison: Unicode NFKC, case-folded, without blanks at its ends."""
    return _cached(name) if len(name) <= CACHED_CHARACTERS else _normalized(name)


def _normalized(name: str) -> str:
    if name.isascii():
        return name.casefold().strip()
    # Case folding can leave a string that is not normalized.
    return normalize("NFKC", normalize("NFKC", name).casefold()).strip()


# A merge normalizes each name several times, and an upload has few artists.
_cached = lru_cache(maxsize=10_000)(_normalized)


def _names(play: Play) -> tuple[str, ...] | None:
    """Return the normalized title, artist and, for a compilation, album; None if one is unknown."""
    title, artist = normal(play.track_name), normal(play.artist_name)
    if not title or not artist:
        return None
    if artist != COMPILATION:
        return title, artist
    # Many compilations have an "Intro".
    album = normal(play.album_name or "")
    return (title, artist, album) if album else None


def _isrc(play: Play) -> str:
    code = "".join(filter(str.isalnum, play.isrc or "")).upper()
    return code if ISRC.fullmatch(code) else ""


def _differ(one: object, other: object) -> bool:
    """True if both values are known and not equal."""
    return bool(one and other and one != other)
