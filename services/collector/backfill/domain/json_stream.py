"""Reads one history file as a stream: a JSON list of rows of any length.

The text is cut at the last `},` that has arrived, and the piece before it is parsed as a list. If
that `},` lies within a string or a nested value, the piece is not a valid list, so the parser
checks each cut. A piece that fails is scanned token by token. The scan costs several times as much
and loses only the broken rows.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from services.collector.backfill.domain.rows import Rows, parse_rows, unparsed
from shared.errors import UploadError

ROW_BYTES = 128 << 10
"""Longest row, with the blanks before it and the comma after it; real rows have under 1,000 bytes.

It is also the longest text that is parsed at once.
"""

CUT_OFF = "cut off: the list has no closing bracket; download the file again"
TEXT_AFTER_LIST = "text follows the closing bracket of the list: only the list is read"


def read_rows(chunks: Iterator[bytes], uploaded_at: datetime) -> Iterator[Rows]:
    """Read the rows of one history file.

    Args:
        chunks: The file's bytes in order, in chunks of any size except 0.
        uploaded_at: A row whose play ends more than a day later is quarantined.

    Yields:
        Lists of rows, in file order. At most one chunk and `ROW_BYTES` are in memory at a time.

    Raises:
        UploadError: The rest of the file cannot be read.
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
                f"a row is longer than {ROW_BYTES >> 10} KiB: only the rows before it are read; "
                "download the file again"
            )
        text = rest + text[ROW_BYTES:]
    if not closed:
        rows, text, closed = _scan_rows(text, uploaded_at)
        yield rows
    if not closed:
        # The added comma ends a last row that is complete; a truncated row stays broken.
        yield _scan_rows(text + b",", uploaded_at)[0]
        raise UploadError(CUT_OFF)
    if text.strip() or any(chunk.strip() for chunk in chunks):
        raise UploadError(TEXT_AFTER_LIST)


def _open_list(chunks: Iterator[bytes]) -> bytes:
    """Skip to the first row; return the text that was read after the `[`."""
    text = b""
    while len(text) < len(_UTF8_MARK) and (chunk := next(chunks, None)):
        text += chunk
    if text.startswith(_UTF16_MARKS) or b"\0" in text[:2]:
        raise UploadError("UTF-16 text: save the file as UTF-8")
    text = text.removeprefix(_UTF8_MARK).lstrip()
    while not text and (chunk := next(chunks, None)):
        text = chunk.lstrip()
    if not text:
        raise UploadError("the file is empty: download it again")
    if not text.startswith(b"["):
        raise UploadError("not a history file: its text is not a JSON list")
    return text[1:]


def _take_rows(text: bytes, uploaded_at: datetime) -> tuple[Rows, bytes, bool]:
    """Read the complete rows at the start of `text`.

    Returns:
        The rows, the rest of the text, and whether the list ended.
    """
    cut = text.rfind(b"},") + 1
    if cut:
        try:
            return parse_rows(text[:cut], uploaded_at), text[cut + 1 :], False
        except ValidationError:
            pass  # The cut lies within a row, or a row is broken.
    return _scan_rows(text, uploaded_at)


def _scan_rows(text: bytes, uploaded_at: datetime) -> tuple[Rows, bytes, bool]:
    """Read the same rows as `_take_rows`, token by token: exact for every text, but slower."""
    rows: Rows = []
    start = depth = 0
    for match in _TOKENS.finditer(text):
        token = match[0]
        if token == b'"':
            break  # A string that has not ended yet.
        if token in _OPENING:
            depth += 1
        elif depth and token in _CLOSING:
            depth -= 1
        elif not depth and token in _ENDING:
            rows += _read_row(text[start : match.start()], uploaded_at)
            start = match.end()
            if token == b"]":
                return rows, text[start:], True
    return rows, text[start:], False


def _read_row(element: bytes, uploaded_at: datetime) -> Rows:
    if not element.strip():
        return []  # An empty list, or an extra comma.
    try:
        return parse_rows(element, uploaded_at)
    except ValidationError:
        return [unparsed(element)]


_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# A complete string, a token, or the start of a string without its end.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},"]', re.DOTALL)
_OPENING = (b"{", b"[")
_CLOSING = (b"}", b"]")
_ENDING = (b",", b"]")
