"""The rules of identity in their plainest form, without neighbourhoods, keys or speed.

`services/loader` must give the same rows whatever order the records come in.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any
from unicodedata import normalize

from services.loader.domain.records import API, EXPORT, Record, Row
from shared.models import Play


def rows_of(plays: Sequence[tuple[str, Play]], window: timedelta) -> list[Row]:
    """Return the rows that stand for all of these plays, each given with its source."""
    records = [Record(source, play) for source, play in _strongest(plays)]
    apis = _gather([record for record in records if record.source == API])
    exports = _gather([record for record in records if record.source == EXPORT])
    partners = _match(list(apis), list(exports), window)
    rows = []
    for api, members in apis.items():
        export = partners.get(api)
        theirs = exports.pop(export) if export else []
        rows.append(Row(None, api.play.played_at, api, export, members + theirs))
    taken = {(row.played_at, row.api.play.track_uri) for row in rows}
    for export, members in exports.items():
        at, uri = export.play.played_at, export.play.track_uri
        while (at, uri) in taken:
            at += timedelta(milliseconds=1)
        taken.add((at, uri))
        rows.append(Row(None, at, None, export, members))
    return rows


def _strongest(plays):
    kept: dict[tuple[Any, ...], list[Any]] = {}
    for source, play in plays:
        kept.setdefault((source, play.played_at, play.track_uri), []).append(play)
    for (source, *_), same in kept.items():
        known = [play.popularity for play in same if play.popularity is not None]
        yield (
            source,
            max(same, key=_strength).model_copy(update={"popularity": max(known, default=None)}),
        )


def _strength(play):
    values = play.model_dump(exclude={"popularity"}).values()
    longest = -1 if play.ms_played is None else play.ms_played
    return longest, *((value is not None, value) for value in values)


def _gather(records):
    clusters: dict[Any, list[Any]] = {}
    for record in sorted(records, key=_order):
        for anchor in reversed(clusters):
            if _repeats(anchor, record):
                clusters[anchor].append(record)
                break
        else:
            clusters[record] = [record]
    return clusters


def _order(record):
    return record.play.played_at, -(record.play.ms_played or 0), record.play.track_uri


def _repeats(one, other):
    apart = other.play.played_at - one.play.played_at
    if one.source == API:
        return apart < timedelta(seconds=1) and _same_track(one.play, other.play)
    moved = apart <= timedelta(seconds=1) and one.play.ms_played == other.play.ms_played > 1_000
    return (not apart or moved) and _same_track(one.play, other.play)


def _match(apis, exports, window):
    pairs = [
        (abs(api.play.played_at - export.play.played_at), *places, api, export)
        for places, (api, export) in zip(
            product(range(len(apis)), range(len(exports))), product(apis, exports), strict=True
        )
        if export.play.ms_played >= 10_000 and _same_track(api.play, export.play)
    ]
    partners: dict[Any, Any] = {}
    for apart, *_, api, export in sorted(pairs):
        if apart <= window and api not in partners and export not in partners.values():
            partners[api] = export
    return partners


def _same_track(one, other):
    names = [(_plain(play.track_name), _plain(play.artist_name)) for play in (one, other)]
    albums = [_plain(play.album_name or "") for play in (one, other)]
    codes = [(play.isrc or "").replace("-", "").upper() for play in (one, other)]
    isrcs = [code if len(code) == 12 else "" for code in codes]  # "null" is not an ISRC
    same_names = names[0] == names[1] and all(names[0])
    if same_names and names[0][1] == "various artists":
        same_names = albums[0] == albums[1] != ""
    titles, lengths = {names[0][0], names[1][0]}, {one.duration_ms, other.duration_ms}
    two_movements = len(titles - {""}) == len(lengths - {None}) == 2
    same_isrc = isrcs[0] == isrcs[1] != "" and not two_movements
    return one.track_uri == other.track_uri or same_isrc or same_names


def _plain(name):
    return normalize("NFKC", normalize("NFKC", name).casefold()).strip()
