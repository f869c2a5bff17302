"""Spotify's wire format, as an app in development mode gets it since 2026.

Track objects no longer have `popularity`, `available_markets` or `linked_from`, but still have
`external_ids`; `api` converts them to what other apps see. The hrefs point to the real API, not to
the simulator.
"""

from datetime import datetime
from typing import Any

from infra.local.catalogue import Album, Artist, Track
from infra.local.simulators.sound import sound, time_signature
from shared.models import iso

API = "https://api.spotify.com/v1"
OPEN = "https://open.spotify.com"

PATH = "/v1/me/player/recently-played"

Wire = dict[str, Any]


def play_history(track: Wire, played_at: datetime, context_uri: str | None) -> Wire:
    """Return one item of `recently-played`; `played_at` is the end of the play."""
    return {
        "track": track,
        "played_at": written(played_at),
        "context": context_uri and _context(context_uri),
    }


def track_object(track: Track) -> Wire:
    """Return a track object of Spotify's web API."""
    return {
        "album": _album_object(track),
        "artists": [_artist_object(artist) for artist in track.artists],
        "disc_number": 1,
        "duration_ms": track.duration_ms,
        "explicit": track.explicit,
        "external_ids": {"isrc": track.isrc},
        **_reference("track", track.track_id),
        "is_local": False,
        "name": track.name,
        "preview_url": None,
        "track_number": track.track_number,
    }


def audio_features(track: Track) -> Wire:
    """Return the features of a track, as apps made before November 2024 may read them."""
    return {
        **sound(track),
        "analysis_url": f"{API}/audio-analysis/{track.track_id}",
        "duration_ms": track.duration_ms,
        "id": track.track_id,
        "time_signature": time_signature(track),
        "track_href": f"{API}/tracks/{track.track_id}",
        "type": "audio_features",
        "uri": track.uri,
    }


def written(at: datetime) -> str:
    """Format an instant as Spotify does, without milliseconds if they are zero."""
    return iso(at).replace(".000Z", "Z")


def _artist_object(artist: Artist) -> Wire:
    """Write an artist, as in a list of artists."""
    return {**_reference("artist", artist.artist_id), "name": artist.name}


def _album_object(track: Track) -> Wire:
    """Write a track's album."""
    album: Album = track.album
    cover = f"https://i.scdn.co/image/{album.album_id}"
    return {
        "album_type": "album",
        "artists": [_artist_object(album.artist)],
        **_reference("album", album.album_id),
        "images": [{"height": size, "url": cover, "width": size} for size in (640, 300, 64)],
        "name": album.name,
        "release_date": album.released,
        "release_date_precision": ("year", "month", "day")[album.released.count("-")],
        "total_tracks": 8,
    }


def _context(uri: str) -> Wire:
    """Write the context that a track was played from."""
    _, kind, spotify_id = uri.split(":")
    reference = _reference(kind, spotify_id)
    del reference["id"]
    return reference


def _reference(kind: str, spotify_id: str) -> Wire:
    """Write the fields that every Spotify object has."""
    return {
        "external_urls": {"spotify": f"{OPEN}/{kind}/{spotify_id}"},
        "href": f"{API}/{kind}s/{spotify_id}",
        "id": spotify_id,
        "type": kind,
        "uri": f"spotify:{kind}:{spotify_id}",
    }
