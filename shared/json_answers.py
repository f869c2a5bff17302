"""Reads the JSON in the answer of a server; pure."""

import json
from typing import Any


def read_json(content: bytes) -> Any:
    """Return the value of a JSON text; None if it is not JSON.

    No error is raised, because that of `json.loads` holds the whole text and its tokens. The parser
    is `json`, not pydantic, because a lone surrogate must not fail the whole answer. Integers are
    read as floats, because Python refuses an integer of thousands of digits.
    """
    try:
        return json.loads(content, parse_int=float)
    except (ValueError, RecursionError):
        return None
