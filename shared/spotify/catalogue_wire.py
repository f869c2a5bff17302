"""What Spotify's answers about several tracks look like, and how to read them; pure."""

from typing import Any

from shared.errors import SpotifyError
from shared.json_answers import read_json

Row = dict[str, Any]


def read_rows(content: bytes, name: str, count: int) -> list[Row]:
    """Read one row for each id that was asked for; null, of an unknown one, becomes an empty row.

    A row belongs to the id at its place: where Spotify plays another release of a track, the row
    tells the id of that. So an answer with more or fewer rows tells nothing.

    Args:
        content: The body of an answer.
        name: Under which the rows stand.
        count: How many ids were asked for.

    Raises:
        SpotifyError: It is no such answer: says nothing about the tracks.
    """
    answer = read_json(content)
    rows = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(rows, list) or len(rows) != count:
        raise SpotifyError(f"{name} gave not one row for each id")
    return [row if isinstance(row, dict) else {} for row in rows]
