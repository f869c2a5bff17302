"""Compares rows of a view with those of the model."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.reporting_model.names import fold
from tests.reporting_model.world import Row

IDS = {"artist_id": ("artist_name",), "track_id": ("artist_name", "track_name"),
       "album_id": ("artist_name", "album_name")}  # fmt: skip
KEYS = (
    "listener", "other_listener", "ended_at", "started_at", "track_uri", "listened_date",
    "listened_month", "listened_year", "hour", "artist_name", "track_name", "album_name",
    "counting_rule", "first_date", "milestone", "platform", "country", "reason_start",
    "reason_end", "shuffle", "offline", "incognito", "context_type",
)  # fmt: skip
"""Columns that identify a row; no view rounds them."""
ENOUGH_PLACES = 2


def without_ids(views: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Check that ids and folded names match one to one, then leave the ids out."""
    names_of: dict[tuple[str, Any], set[Any]] = {}
    ids_of: dict[tuple[str, Any], set[Any]] = {}
    for row in (row for rows in views.values() for row in rows):
        for column in IDS.keys() & row.keys():
            names = [row[name] for name in IDS[column]]
            key = None if None in names else tuple(map(fold, names))
            names_of.setdefault((column, row[column]), set()).add(key)
            ids_of.setdefault((column, key), set()).add(row[column])
    assert [pair for pair in names_of.items() if len(pair[1]) > 1] == []
    assert [pair for pair in ids_of.items() if len(pair[1]) > 1] == []
    return {name: [{column: value for column, value in row.items() if column not in IDS}
                   for row in rows] for name, rows in views.items()}  # fmt: skip


def differences(actual: list[Row], expected: list[Row]) -> list[Any]:
    """Return what differs, at most five of each kind: (row, actual values, expected values)."""
    ours, theirs = (Counter(map(_place, rows)) for rows in (actual, expected))
    if ours != theirs:
        return ["rows", list(ours - theirs)[:5], list(theirs - ours)[:5]]
    pairs = zip(sorted(actual, key=_place), sorted(expected, key=_place), strict=True)
    return [_described(*pair) for pair in pairs if _wrong(*pair)][:5]


def _place(row: Row) -> tuple[str, ...]:
    return tuple(f"{column} {row[column]}" for column in KEYS if column in row)


def _described(actual: Row, expected: Row) -> tuple[Any, ...]:
    wrong = _wrong(actual, expected)
    return _place(actual), *({c: row.get(c, "absent") for c in wrong} for row in (actual, expected))


def _wrong(actual: Row, expected: Row) -> list[str]:
    """Return the columns that differ; their order counts."""
    columns = list(actual)
    if columns != list(expected):
        return list(dict.fromkeys([*columns, *expected]))
    return [column for column in columns if not same(actual[column], expected[column])]


def same(actual: Any, expected: Any) -> bool:
    """True if a value is the expected one; ratios are compared as they are rounded."""
    if not isinstance(expected, Fraction):
        return type(actual) is type(expected) and actual == expected
    if not isinstance(actual, Decimal):
        return False
    exponent = actual.as_tuple().exponent
    if not isinstance(exponent, int):  # a NaN or an infinity
        return False
    places = -exponent
    # Features are double precision: their sums are right to some 15 digits.
    slack = Fraction(1, 2 * 10**places) + abs(expected) / 10**12
    return places >= ENOUGH_PLACES and abs(Fraction(actual) - expected) <= slack
