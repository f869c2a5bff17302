"""Features and popularity of the tracks of the catalogue, for all simulated services."""

from typing import Any

from infra.local import catalogue
from infra.local.catalogue import Track

_MOST = 100
"""The top of Spotify's scale of popularity."""


def sound(track: Track) -> dict[str, Any]:
    """Return a track's features that all simulated services have; key -1 means no key."""
    chance = [byte / 255 for byte in catalogue.noise_of("features", track.number)]
    return {
        "acousticness": round(chance[0] ** 3, 4),
        "danceability": round((chance[1] + chance[2]) / 2, 3),
        "energy": round((chance[3] + chance[4]) / 2, 3),
        "instrumentalness": round(chance[5] ** 9, 6),
        "key": round(chance[6] * 12) - 1,
        "liveness": round(chance[7] ** 2, 3),
        "loudness": round(-30 * chance[8] * chance[9], 3),
        "mode": round(chance[10]),
        "speechiness": round(chance[11] ** 4, 4),
        "tempo": round(60 + 140 * (chance[12] + chance[13]) / 2, 3),
        "valence": round((chance[14] + chance[15]) / 2, 3),
    }


def time_signature(track: Track) -> int:
    """Return a track's beats per bar; like real data, 1 occurs, which Spotify's docs exclude."""
    return (4, 4, 4, 4, 4, 3, 5, 1)[catalogue.noise_of("bar", track.number)[0] % 8]


def popularity(track: Track) -> int:
    """Return the popularity of a track, from 0 to 100."""
    return catalogue.noise_of("popularity", track.number)[0] % (_MOST + 1)
