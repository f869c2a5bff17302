"""Finds the order of an export's parts by their names; pure.

A part is one JSON file of an export. Spotify has used three naming schemes. In schemes 2 and 3 the
rows are sorted by time across all parts:

1. until 2023: `endsong_0.json`, `endsong_1.json` …, or only `endsong.json`. The rows are unsorted,
   so each part holds plays of the whole time.
2. since 2023: `Streaming_History_Audio_2014-2021_0.json`, `…_2021_1.json`. The numbers run over
   the whole export.
3. since 2026: `Streaming_History_Audio_2024.json`, `…_2024_1.json`, `…_2025.json`. The numbers
   restart each year, and the first part of a year has none.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class Joint(NamedTuple):
    """The paths of two consecutive parts of a sorted export: no part between them is missing."""

    before: str
    after: str
    over_new_year: bool = False
    """True if `before` is the last part of a year, and `after` the first part of the next.

    The names then cannot show whether a later part of the first year is missing.
    """


class ShuffledExport(NamedTuple):
    """An export of naming scheme 1, whose rows are unsorted: the paths of its parts."""

    paths: tuple[str, ...]
    is_complete: bool
    """True if the numbers of the parts run from 0 without a gap, or the only part has no number.

    The names cannot show that the last part is missing.
    """


def joints(paths: Iterable[str]) -> Iterator[Joint]:
    """Yield the pairs of consecutive parts of each sorted export.

    Parts in different folders belong to different exports. If the names fit both naming schemes, as
    2024_1 and 2025_2 do, only pairs that are consecutive in both are yielded.
    """
    exports = defaultdict(list)
    for path in paths:
        if name := _read(path):
            exports[name.export].append(name)
    for names in exports.values():
        layouts = [set(found) for found in (_running(names), _yearly(names)) if found is not None]
        yield from set.intersection(*layouts) if layouts else ()


def shuffled_exports(paths: Iterable[str]) -> list[ShuffledExport]:
    """Find the exports of naming scheme 1, one per folder."""
    folders: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path in paths:
        folder, _, name = _plain(path).rpartition("/")
        if "endsong" in name:
            match = _SHUFFLED.fullmatch(name)
            folders[folder].append((path, int(match["number"] or 0) if match else _NO_NUMBER))
    return [
        ShuffledExport(
            tuple(path for path, _ in parts),
            sorted(number for _, number in parts) == list(range(len(parts)))
            # A single numbered part was probably uploaded without the others.
            and (len(parts) > 1 or not _NUMBERED.search(_plain(parts[0][0]))),
        )
        for parts in folders.values()
    ]


class _Name(NamedTuple):
    path: str
    export: str
    year: int
    is_range: bool
    """True if the part spans several years."""
    number: int | None


def _read(path: str) -> _Name | None:
    match = _SORTED.fullmatch(_plain(path))
    if match is None:
        return None
    number = int(match["number"]) if match["number"] else None
    return _Name(path, match["export"], int(match["year"]), bool(match["range"]), number)


def _plain(path: str) -> str:
    return path.replace("\\", "/").lower()


def _running(names: Sequence[_Name]) -> list[Joint] | None:
    """Pair consecutive parts by naming scheme 2.

    None if the names do not fit this scheme: a part has no number, or two have the same number.
    """
    numbered = sorted((name.number, name.path) for name in names if name.number is not None)
    if len({number for number, _ in numbered}) < len(names):
        return None
    return [
        Joint(before, after)
        for (number, before), (following, after) in pairwise(numbered)
        if following == number + 1
    ]


def _yearly(names: Sequence[_Name]) -> list[Joint] | None:
    """Pair consecutive parts by naming scheme 3.

    None if the names do not fit this scheme: two parts have the same year and number, or a part has
    the number 0 or spans several years.
    """
    placed = sorted((name.year, name.number or 0, name.path) for name in names)
    if len({(year, number) for year, number, _ in placed}) < len(names) or any(
        name.is_range or name.number == 0 for name in names
    ):
        return None
    parts_of = Counter(year for year, _, _ in placed)
    found = []
    for (year, number, before), (following_year, following, after) in pairwise(placed):
        if (following_year, following) == (year, number + 1):
            found.append(Joint(before, after))
        elif (following_year, following, parts_of[year]) == (year + 1, 0, number + 1):
            found.append(Joint(before, after, over_new_year=True))
    return found


_NO_NUMBER = -1
_SHUFFLED = re.compile(r"endsong(_(?P<number>\d{1,3}))?\.json")
_NUMBERED = re.compile(r"\d\.json$")
_SORTED = re.compile(
    r"(?P<export>.*)_(?P<year>\d{4})(?P<range>-\d{4})?(_(?P<number>\d{1,3}))?\.json"
)
