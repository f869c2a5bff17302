"""When are two plays plays of the same track? Pure.

Spotify relinks tracks to other uris, so three things can make two plays the same track:

1. the uri;
2. the ISRC, without dashes and spaces, in upper case, unless title and length both differ, because
   the movements of one work may share an ISRC. A title or length that is unknown (empty, or 0)
   does not differ. A code of another form, such as "null", is no ISRC;
3. title and artist after Unicode NFKC, case folding and trimming. For a compilation, which an
   export credits to "Various Artists", the album must be the same too.

Lengths are compared exactly: nothing published says how much they vary for one recording.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import normalize

from shared.models import Play

COMPILATION = "various artists"
"""How an export names the artist of a compilation, as `normal` gives it."""

ISRC = re.compile("[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
"""Country, registrant, year and number (ISO 3901)."""

CACHED_CHARACTERS = 200
"""Longer names are rare, and 10,000 of the longest allowed would fill 160 MB."""


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
    """Yield keys of which any two plays of the same track have at least one in common.

    Plays of different tracks may share a key too: the movements of one work share the ISRC.
    """
    yield play.track_uri
    if isrc := _isrc(play):
        yield "isrc", isrc
    if names := _names(play):
        yield names


def normal(name: str) -> str:
    """Return a name in the form in which names are compared."""
    return _cached(name) if len(name) <= CACHED_CHARACTERS else _normalized(name)


def _normalized(name: str) -> str:
    if name.isascii():
        return name.casefold().strip()
    # Case folding can leave a string that is not normalized.
    return normalize("NFKC", normalize("NFKC", name).casefold()).strip()


# A merge asks for the names of a track several times, and an upload holds few artists.
_cached = lru_cache(maxsize=10_000)(_normalized)


def _names(play: Play) -> tuple[str, ...] | None:
    """Return what names the track, or None if the title or the artist is unknown."""
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
    """True if both values are known, and are not equal."""
    return bool(one and other and one != other)
