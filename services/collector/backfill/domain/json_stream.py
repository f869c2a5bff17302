"""Reads one history file as it streams by: a JSON list of rows, however long.

The text is cut at the last `},` of what has arrived, and the piece is parsed as a list. That
`},` may stand within a string or a nested value; but then the piece is no valid list, since what
a parser makes of a text up to some point depends on that text alone. So the parser proves each
cut, and only a piece that it refuses is taken apart mark by mark. Such a piece costs several
times as much, and loses no more than the rows that are broken.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from services.collector.backfill.domain.rows import Rows, parse_rows, unparsed
from shared.errors import UploadError

ROW_BYTES = 128 << 10
"""Longest row, with the blanks before it and the comma after it; real rows have under 1,000 bytes.

It is also the most text that is parsed at once, so nothing in a row costs more than that.
"""


def read_rows(chunks: Iterator[bytes], uploaded_at: datetime) -> Iterator[Rows]:
    """Read the rows of one history file.

    Args:
        chunks: The file's bytes in order, in pieces of any size but 0.
        uploaded_at: A row that ends more than a day later is wrong.

    Yields:
        The rows in file order, in lists of any length. Memory holds one chunk and `ROW_BYTES`.

    Raises:
        UploadError: The rest of the file, or all of it, cannot be read; what was yielded stands.
    """
    text, closed, ended = _open_list(chunks), False, False
    while not (closed or ended):
        while len(text) < ROW_BYTES and (chunk := next(chunks, None)):
            text += chunk
        ended = len(text) < ROW_BYTES
        rows, rest, closed = _take_rows(text[:ROW_BYTES], uploaded_at)
        yield rows
        if len(rest) == ROW_BYTES:
            raise UploadError(
                f"a row is longer than {ROW_BYTES >> 10} KiB; the file is read up to there"
            )
        text = rest + text[ROW_BYTES:]
    if not closed:
        rows, text, closed = _scan_rows(text, uploaded_at)
        yield rows
    if not closed:
        # A comma ends a last row that is whole, and makes no broken one whole.
        yield _scan_rows(text + b",", uploaded_at)[0]
        raise UploadError("cut off: the file ends before its list does")
    if text.strip() or any(chunk.strip() for chunk in chunks):
        raise UploadError("text follows the end of the list; the file is read up to there")


def _open_list(chunks: Iterator[bytes]) -> bytes:
    """Skip to the first row; give what has arrived of the rows."""
    text = b""
    while len(text) < len(_UTF8_MARK) and (chunk := next(chunks, None)):
        text += chunk
    if text.startswith(_UTF16_MARKS) or b"\0" in text[:2]:
        raise UploadError("UTF-16 text: save the file as UTF-8")
    text = text.removeprefix(_UTF8_MARK).lstrip()
    while not text and (chunk := next(chunks, None)):
        text = chunk.lstrip()
    if not text:
        raise UploadError("empty file")
    if not text.startswith(b"["):
        raise UploadError("not a JSON list, as every history file is")
    return text[1:]


def _take_rows(text: bytes, uploaded_at: datetime) -> tuple[Rows, bytes, bool]:
    """Read the whole rows that `text` starts with.

    Returns:
        The rows, the text behind them and their comma, and whether the list ended there.
    """
    cut = text.rfind(b"},") + 1
    if cut:
        try:
            return parse_rows(text[:cut], uploaded_at), text[cut + 1 :], False
        except ValidationError:
            pass  # The cut is within a row, or a row is broken: the scan tells which.
    return _scan_rows(text, uploaded_at)


def _scan_rows(text: bytes, uploaded_at: datetime) -> tuple[Rows, bytes, bool]:
    """Do what `_take_rows` does, mark by mark: exact for every text, and slower."""
    rows: Rows = []
    start = depth = 0
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark == b'"':
            break  # A string that has not ended yet.
        if mark in _OPENING:
            depth += 1
        elif depth and mark in _CLOSING:
            depth -= 1
        elif not depth and mark in _ENDING:
            rows += _read_row(text[start : match.start()], uploaded_at)
            start = match.end()
            if mark == b"]":
                return rows, text[start:], True
    return rows, text[start:], False


def _read_row(element: bytes, uploaded_at: datetime) -> Rows:
    if not element.strip():
        return []  # An empty list, or a comma too many: no row is lost.
    try:
        return parse_rows(element, uploaded_at)
    except ValidationError:
        return [unparsed(element)]


_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# A whole string, which may hold any mark; or a mark; or the start of a string without an end.
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},"]', re.DOTALL)
_OPENING = (b"{", b"[")
_CLOSING = (b"}", b"]")
_ENDING = (b",", b"]")
