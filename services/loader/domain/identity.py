"""The rules that decide which records are one play; pure.

A record is what one source says of one play. The rows depend only on the set of all records, so the
table is the same if the same records arrive in another order, in other batches or twice. Two
records of the same listener and the same track are one play if they are

1. two API records less than 1 s apart: Spotify moves `played_at` by some milliseconds, and the API
   shows only plays of 30 s or more;
2. two export records at the same instant (the longer `ms_played` is kept), or within 1 s with
   equal `ms_played` above 1,000: a later export may move `ts` by 1 s, but two skips of 0 ms are two
   plays;
3. an API record and an export record whose ends are at most `window` apart, if the export record
   was played for at least 10 s. They are paired one to one, the nearest first. A pair is one row:
   it shows the API's values, and the export's where the API has none.

`services/loader/domain/tracks.py` decides which tracks are the same.
Of several candidates the nearest wins, then the earliest, then the lowest uri. Popularity never
decides which records are one play, because it may be filled in much later.

Source: docs/adr/0002-one-play-one-row.md has the measured reasons.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from operator import attrgetter

from services.loader.domain.records import (
    API,
    EXPORT,
    FIELDS,
    Record,
    Row,
    apart,
    instant_of,
    values_of,
)
from services.loader.domain.tracks import is_same_track, track_keys
from shared.models import Play

API_SHIFT = timedelta(seconds=1)
EXPORT_SHIFT = timedelta(seconds=1)
SHIFTED_MS = 1_000
MATCHED_MS = 10_000
MATCH_WINDOW = timedelta(seconds=90)
BUMP = timedelta(milliseconds=1)

_ranked = attrgetter(*(field for field in FIELDS if field != "popularity"))


def resolve(records: Iterable[Record], window: timedelta) -> list[Row]:
    """Decide which records of a group are one play, and return one row for each play.

    The records may be in any order. The group must hold all records that may be the same play as
    one of them.
    """
    distinct = _distinct(records)
    apis = _clusters([r for r in distinct if r.source == API])
    exports = _clusters([r for r in distinct if r.source == EXPORT])
    partners = _partners(apis, exports, window)
    rows = []
    for api, members in apis.items():
        export = partners.get(api)
        records_ = members + (exports.pop(export) if export else [])
        rows.append(Row(api.row_id, api.play.played_at, api, export, records_))
    taken = {(row.played_at, row.api.play.track_uri) for row in rows if row.api}
    for export, members in exports.items():
        # A skip may end in the same millisecond as a row of the same track; moving it keeps both.
        played_at, track_uri = export.play.played_at, export.play.track_uri
        while (played_at, track_uri) in taken:
            played_at += BUMP
        taken.add((played_at, track_uri))
        rows.append(Row(export.row_id, played_at, None, export, members))
    return rows


def _distinct(records: Iterable[Record]) -> list[Record]:
    """Keep one record for each (source, end of play, uri), with the row id of any stored one."""
    kept: dict[tuple[object, ...], Record] = {}
    for record in records:
        key = (record.source, record.play.played_at, record.play.track_uri)
        known = kept.get(key)
        if known is None:
            kept[key] = Record(record.source, record.play, record.batch, record.row_id)
            continue
        if values_of(known.play) != values_of(record.play):
            known.play = _stronger(known.play, record.play)
        known.row_id = known.row_id if known.row_id is not None else record.row_id
        if record.batch is None:
            known.batch = None
    return list(kept.values())


def _stronger(one: Play, other: Play) -> Play:
    """Choose the play with the higher `_rank`, and give it the greater popularity of both.

    The two plays have the same source, end and uri. Popularity does not decide, because it may be
    filled in before or after the other record arrives.
    """
    stronger = max(one, other, key=_rank)
    known = [play.popularity for play in (one, other) if play.popularity is not None]
    return stronger.model_copy(update={"popularity": max(known, default=None)})


def _rank(play: Play) -> tuple[object, ...]:
    """Return a sort key for plays with the same source, end and uri.

    The longer `ms_played` ranks higher; then the other values decide, except popularity.
    """
    longest = -1 if play.ms_played is None else play.ms_played
    return longest, *((value is not None, value) for value in _ranked(play))


def _clusters(records: list[Record]) -> dict[Record, list[Record]]:
    """Group the records of one source by play; the key is the first record of each play.

    That first record is called the anchor. In the order of `_precedence`, each record joins the
    latest anchor that is the same play, or becomes an anchor itself. It is compared only with
    anchors of the same track and with an equal lookup key (`repeat_marks`), which saves time.
    """
    if len(records) == 1:
        return {records[0]: records}
    clusters: dict[Record, list[Record]] = {}
    anchors: dict[object, list[Record]] = defaultdict(list)
    for record in sorted(records, key=_precedence):
        keys = [(mark, key) for mark in repeat_marks(record) for key in track_keys(record.play)]
        repeated = [anchor for key in keys for anchor in _last_repeated(record, anchors[key])]
        if repeated:
            clusters[max(repeated, key=_precedence)].append(record)
            continue
        clusters[record] = [record]
        for key in keys:
            anchors[key].append(record)
    return clusters


def _last_repeated(record: Record, anchors: list[Record]) -> Iterator[Record]:
    """Yield the latest anchor that is the same play as `record`, if there is one.

    An anchor is the first record of a play; `anchors` are sorted by time.
    """
    near = takewhile(lambda anchor: apart(anchor, record) <= EXPORT_SHIFT, reversed(anchors))
    for anchor in near:
        if _is_repeat(anchor, record):
            yield anchor
            return


def repeat_marks(record: Record) -> Iterator[object]:
    """Yield lookup keys of a record.

    Two records of one source that are the same play share at least one key; two that share one are
    not always the same play.
    """
    if record.source == API:
        yield API
        return
    yield instant_of(record)
    if (record.play.ms_played or 0) > SHIFTED_MS:
        yield record.play.ms_played


def _precedence(record: Record) -> tuple[datetime, int, str]:
    return instant_of(record), -(record.play.ms_played or 0), record.play.track_uri


def _is_repeat(earlier: Record, later: Record) -> bool:
    """True if two records of one source are one play by rule 1 or 2."""
    distance = apart(earlier, later)
    if earlier.source == API:
        is_close = distance < API_SHIFT
    else:
        is_close = not distance or (
            distance <= EXPORT_SHIFT
            and earlier.play.ms_played == later.play.ms_played
            and (later.play.ms_played or 0) > SHIFTED_MS
        )
    return is_close and is_same_track(earlier.play, later.play)


def can_match(export: Record) -> bool:
    """True if an export record was played long enough (10 s) to be paired with an API record."""
    return (export.play.ms_played or 0) >= MATCHED_MS


def within(ordered: Sequence[Record], record: Record, window: timedelta) -> range:
    """Return the indexes of the records in `ordered` that end at most `window` from `record`.

    `ordered` is sorted by time.
    """
    at = instant_of(record)
    return range(
        bisect_left(ordered, at - window, key=instant_of),
        bisect_right(ordered, at + window, key=instant_of),
    )


def _partners(
    apis: Iterable[Record], exports: Iterable[Record], window: timedelta
) -> dict[Record, Record]:
    """Pair API records with export records by rule 3: one to one, the nearest first.

    Both inputs are sorted by time. A record without a partner is left out.
    """
    by_key: dict[object, list[Record]] = defaultdict(list)
    for export in filter(can_match, exports):
        for key in track_keys(export.play):
            by_key[key].append(export)
    candidates: list[tuple[Record, Record]] = []
    for api in apis:
        near = {
            by_key[key][place]: None
            for key in track_keys(api.play)
            if key in by_key
            for place in within(by_key[key], api, window)
        }
        candidates += [(api, export) for export in near if is_same_track(api.play, export.play)]
    candidates.sort(key=_nearness)
    partners: dict[Record, Record] = {}
    matched: set[Record] = set()
    for api, export in candidates:
        if api not in partners and export not in matched:
            partners[api] = export
            matched.add(export)
    return partners


def _nearness(pair: tuple[Record, Record]) -> tuple[object, ...]:
    """Return a sort key for pairs of an API and an export record: by distance, then by time."""
    api, export = pair
    return abs(instant_of(api) - instant_of(export)), _precedence(api), _precedence(export)
