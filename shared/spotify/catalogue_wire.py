"""Reads Spotify's answers about several tracks; pure."""

from typing import Any

from shared.errors import SpotifyError
from shared.json_answers import read_json

Row = dict[str, Any]


def read_rows(content: bytes, name: str, count: int) -> list[Row]:
    """Return one row for each requested id; a null, for an id unknown to Spotify, becomes `{}`.

    The position of a row decides its id, because Spotify may return another release of a track with
    an id of its own. So an answer with more or fewer rows is useless.

    Args:
        content: The body of an answer.
        name: The key of the rows.
        count: The number of requested ids.

    Raises:
        SpotifyError: The answer has no list `name`, or not one row for each id.
    """
    answer = read_json(content)
    rows = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(rows, list) or len(rows) != count:
        raise SpotifyError(f"Spotify's list {name} does not hold one row for each requested id")
    return [row if isinstance(row, dict) else {} for row in rows]
