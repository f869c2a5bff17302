"""Choices made from bytes, and the changes of real inputs that they choose.

Hypothesis can shrink these bytes, and a coverage-guided fuzzer can mutate them.
"""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")


class Tape:
    """Choices, two bytes each; after its end each choice is the first."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def below(self, most: int) -> int:
        """Return a number from 0 to `most` - 1."""
        piece = self._content[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(piece, "little") % most

    def one_of(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]


def changed(tape: Tape, text: bytes, most: int = 4) -> bytes:
    """Change bytes at 0 to `most` places."""
    for _ in range(tape.below(most + 1)):
        start = tape.below(len(text) + 1)
        length = 1 << tape.below(9)
        text = tape.one_of(CHANGES)(tape, text, start, start + length)
    return text


def changed_json(tape: Tape, value: Any, most: int = 4) -> bytes:
    """Change a JSON value at 0 to `most` places, then format it; a fourth is then damaged."""
    value = _copy(tape.one_of(ODD) if tape.below(32) == 1 else value)
    for _ in range(tape.below(most + 1)):
        places = [place for place in _places(value) if place[0]]
        if places:
            _change(tape, tape.one_of(places)[0], value)
    text = json.dumps(value, ensure_ascii=bool(tape.below(2)), indent=tape.one_of([None, 2]))
    if MARK in text:
        for number, raw in enumerate(RAW):
            text = text.replace(f'"{MARK}{number}"', raw)
    # A lone surrogate, which JSON can name, is no UTF-8.
    return changed(tape, text.encode(errors="surrogatepass"), most if tape.below(4) == 0 else 0)


def _copy(value: Any) -> Any:
    """Copy a JSON value, much faster than `copy.deepcopy` does."""
    return json.loads(json.dumps(value)) if isinstance(value, (dict, list)) else value


def _places(value: Any) -> list[Any]:
    """Return each dict and list within a value, in a tuple of its own."""
    found, left = [], [value]
    while left:
        one = left.pop()
        if isinstance(one, (dict, list)):
            found.append((one,))
            left += one.values() if isinstance(one, dict) else one
    return found


def _change(tape: Tape, into: Any, whole: Any) -> None:
    """Replace, remove, add or repeat one member of a dict or a list."""
    key = tape.one_of(list(into) if isinstance(into, dict) else range(len(into)))
    odd = _copy(tape.one_of(ODD))
    action = tape.below(8)
    if action == 0:
        del into[key]
    elif action == 1:
        other = _copy(into[key])
        into.append(other) if isinstance(into, list) else into.update({str(odd)[:99]: other})
    elif action == 2:
        into[key] = _copy(tape.one_of(_members(whole)))
    elif action == 3:
        into[key] = [into[key]]
    elif action == 4 and isinstance(into[key], str):
        into[key] = changed(tape, into[key].encode(errors="surrogatepass")).decode(errors="replace")
    else:
        into[key] = odd


def _members(value: Any) -> list[Any]:
    """Return a value and all that it holds."""
    held = (one.values() if isinstance(one, dict) else one for (one,) in _places(value))
    return [value, *chain.from_iterable(held)]


MARK = "raw "
"""Begins a text that stands for one of RAW until the value is formatted."""
RAW = (
    *("1e999", "-1e999", "NaN", "-Infinity", "-0.0", "1E400", "0." + "3" * 400, "9" * 5_000),
    *("9" * 400, r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', "[" * 3_000, "{}" * 2, "tru", '"'),
    '{"a":' * 900 + "1" + "}" * 900,
)
"""What no JSON value in Python formats to."""
ODD: tuple[Any, ...] = (
    *(f"{MARK}{number}" for number in range(len(RAW))),
    *(None, True, False, 0, 1, -1, 1.5, 2**31 - 1, 2**31, 2**63, -(2**63), 10**30, 1e300, 101),
    *(
        "",
        " ",
        "null",
        "undefined",
        "\0",
        "a\0b",
        "\ufeff",
        "\u2028",
        "\ufffe\uffff",
        "é" * 700,
        "a" * 2_001,
    ),
    *("\t\n\r\\N\\.", "'; --", "🎧👩‍🎤", "\x7f\x1b[31m", "x" * 9_000, "../../etc", "%00%2e"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"),
    *("1969-12-31T23:59:59Z", "2999-12-31T23:59:59.9999999Z", "2026-02-30T00:00:00Z", "1e12"),
    *("2026-11-20T12:00:00", "2026-11-20 12:00:00+00:00", "1700000000", "2026-11-20T24:00:00Z"),
    *(
        "spotify:track:",
        "spotify:track:null",
        "spotify:track:" + "a" * 200,
        "spotify:local:a:b:c:1",
    ),
    *("spotify:track:a,b", "spotify:episode:1AAAAAAAAAAAAAAAAAAAAA", "\u0663", "\uff11"),
    *([], {}, [None], [[]], {"": {}}, {"a": None}, [{}], [0] * 60),
)

# Numbers, ends of spans, and what parsers treat specially.
_PIECES = (
    *(
        b"\0",
        b"\xff",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xef\xbb\xbf",
        b"\\",
        b'"',
        b"}",
    ),
    *(b"]", b"[", b"{", b",", b"},{", b"\r\n\r\n", b"\n", b"\t", b" " * 400, b"9" * 5_000, b"-1"),
    *(b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0", b"\0" * 9_000),
    *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"null", b"1e999", b"\\ud800"),
)
CHANGES = (
    lambda tape, text, start, end: text[:start] + tape.one_of(_PIECES) + text[end:],
    lambda tape, text, start, end: text[:start] + tape.one_of(_PIECES) + text[start:],
    lambda tape, text, start, end: text[:start] + text[end:],
    lambda tape, text, start, end: text[:end] + text[start:],
    lambda tape, text, start, end: text[:start],
    lambda tape, text, start, end: (
        text[:start] + bytes(one ^ 1 << tape.below(8) for one in text[start : start + 1])
        + text[start + 1 :]
    ),
    lambda tape, text, start, end: (
        text[:start] + tape.below(1 << 16).to_bytes(2, "little") + text[start + 2 :]
    ),
    lambda tape, text, start, end: text[:start] + text[end : 2 * end - start] + text[start:end],
)  # fmt: skip
"""Each takes the tape, the text and a span of it, and returns the changed text."""
