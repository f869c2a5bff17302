"""The names of each track, the equality of names, and their spelling."""

from collections import Counter, defaultdict
from unicodedata import normalize

from tests.reporting_model.world import Row

Key = tuple[str, ...]


def fold(name: str) -> str:
    """Return a name without case, width, ligatures or outer spaces: equal for all its spellings.

    Python has special rules for two letters: a dotted capital I, and a sigma at a word's end.
    """
    plain = normalize("NFKC", name).replace("\u0130", "i").lower().replace("\u03c2", "\u03c3")
    return plain.strip(" ") or name


def names_by_uri(plays: list[Row]) -> dict[str, Row]:
    """Return for each track URI the row whose names count.

    A row from the API wins, because an export has the artist of the album; then the newest row,
    then the row with the highest id.
    """
    best: dict[str, Row] = {}
    for row in sorted(plays, key=_authority):
        best[row["track_uri"]] = row
    return best


def _authority(row: Row):
    return row["source"] != "extended-history", row["played_at"], row["id"]


def artist_key(names: Row) -> Key:
    return (fold(names["artist_name"]),)


def track_key(names: Row) -> Key:
    return (fold(names["artist_name"]), fold(names["track_name"]))


def album_key(names: Row) -> Key | None:
    if names["album_name"] is None:
        return None
    return (fold(names["artist_name"]), fold(names["album_name"]))


KEYS = {"artist_name": artist_key, "track_name": track_key, "album_name": album_key}


def spellings(by_uri: dict[str, Row]) -> dict[str, dict[Key, str]]:
    """Return the spelling of each key, per kind of name: the one that most URIs have."""
    return {kind: _most_common(kind, by_uri) for kind in KEYS}


def _most_common(kind: str, by_uri: dict[str, Row]) -> dict[Key, str]:
    votes: dict[Key, Counter[str]] = defaultdict(Counter)
    for names in by_uri.values():
        if (key := KEYS[kind](names)) is not None:
            votes[key][names[kind]] += 1
    # Python orders texts by code point, as collation C does for UTF-8.
    return {key: min(count, key=lambda name: (-count[name], name)) for key, count in votes.items()}
