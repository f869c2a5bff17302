"""Read the JSON of a foreign server's answer; pure."""

import json
from typing import Any


def read_json(content: bytes) -> Any:
    """Return the value that JSON holds; None if the content is no JSON.

    There is no error to pass on, because that of `json.loads` holds the whole text, with any token
    in it. `json`, not pydantic: a lone surrogate in one text must not fail the whole answer. Nor
    must a number of thousands of digits, which Python reads as a float but not as an integer.
    """
    try:
        return json.loads(content, parse_int=float)
    except (ValueError, RecursionError):
        return None
