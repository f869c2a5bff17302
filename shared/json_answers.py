"""Reads the JSON in the answer of a server; pure."""

import json
from typing import Any


def read_json(content: bytes) -> Any:
    """Return the value of a JSON text; None if it is not JSON.

    No error is raised, because an error of `json.loads` holds the whole text, which may include
    access tokens. The parser is `json`, because pydantic's rejects a whole answer for one lone
    surrogate. Integers are read as floats, because Python refuses one of thousands of digits.
    """
    try:
        return json.loads(content, parse_int=float)
    except (ValueError, RecursionError):
        return None
