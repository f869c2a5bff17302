"""The ids by which ReccoBeats finds tracks: Spotify's, its own UUIDs, and ISRCs."""

from dataclasses import replace
from uuid import UUID

from infra.local import catalogue
from infra.local.catalogue import Track

_SPACE = 2**128
# Odd, so that multiplying by it within the space can be undone.
_SCATTER = 0xB5026F5AA96619E9D0F3B8C1E7A4925D
_GATHER = pow(_SCATTER, -1, _SPACE)
_NUMBERS = 2**41

_RELEASED_AGAIN = 1_000_000_000
"""How far the number of a recording's second release lies from that of the first."""


def uuid_of(track: Track) -> str:
    """Return ReccoBeats' own id of a track."""
    return str(UUID(int=(track.number + 1) * _SCATTER % _SPACE))


def find_uuid(text: str) -> Track | None:
    """Return the track with an id of ReccoBeats."""
    try:
        number = UUID(text).int * _GATHER % _SPACE - 1
    except ValueError:
        return None
    return catalogue.track(number) if 0 <= number < _NUMBERS else None


def find(one: str) -> tuple[Track, ...]:
    """Return what an id of any kind names: nothing, a track, or all releases of a recording."""
    if track := catalogue.find_track(one) or find_uuid(one):
        return (track,)
    recording = catalogue.find_isrc(one)
    return (recording, _released_again(recording)) if recording else ()


def _released_again(recording: Track) -> Track:
    """Return the same recording under another Spotify id, on another album."""
    release = catalogue.track(recording.number + _RELEASED_AGAIN)
    return replace(
        release,
        name=recording.name,
        artists=recording.artists,
        duration_ms=recording.duration_ms,
        isrc=recording.isrc,
    )
