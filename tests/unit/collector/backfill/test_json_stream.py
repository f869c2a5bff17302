import json
import tracemalloc
from itertools import repeat
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.backfill.domain import json_stream
from services.collector.backfill.domain.json_stream import read_rows
from services.collector.backfill.domain.rows import Quarantined, parse_rows
from shared.errors import UploadError
from tests.unit.collector.backfill.history_examples import (
    UPLOADED_AT,
    a_file,
    a_row,
    a_trackless_row,
)

MOST_LISTS = 1_000


def lists(chunks):
    """Yield the lists of rows; fail if the reader makes no progress."""
    for number, rows in enumerate(read_rows(chunks, UPLOADED_AT)):
        assert number < MOST_LISTS
        yield rows


def read(*chunks):
    """Return all rows, and the error that ended the reading."""
    rows = []
    try:
        for some in lists(iter(chunks)):
            rows += some
    except UploadError as error:
        return rows, str(error)
    return rows, None


def in_chunks(text, size):
    return [text[start : start + size] for start in range(0, len(text), size)]


def plays(*lengths):
    return parse_rows(a_file(*(a_row(ms_played=ms) for ms in lengths))[1:-1], UPLOADED_AT)


NASTY = ["},{", '}, {"', '"', "\\", '\\"},', "[{", "]}", "素敵", "\u2028", ""]
names = st.lists(st.sampled_from(NASTY), max_size=6).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(
    st.builds(a_row, master_metadata_track_name=names, extra=json_values)
    | st.builds(a_trackless_row, episode_name=names)
    | json_values,
    max_size=6,
)
layouts = st.sampled_from(
    [{"indent": 2}, {"separators": (",", ":")}, {"separators": (" , ", " : ")}, {}]
)


@given(rows=rows, layout=layouts, raw=st.booleans(), size=st.integers(1, 400))
def test_rows_are_the_same_for_any_chunk_size(rows, layout, raw, size):
    text = json.dumps(rows, ensure_ascii=not raw, **layout).encode()

    found = read(*in_chunks(text, size))

    assert found == (parse_rows(text[1:-1], UPLOADED_AT), None)


@given(
    text=st.binary(max_size=200) | st.text('[]{},"\\ a1', max_size=60).map(str.encode),
    size=st.integers(1, 50),
)
def test_an_invalid_file_gives_the_same_result_for_any_chunk_size(text, size):
    assert read(*in_chunks(b"[" + text, size)) == read(b"[" + text)


def test_a_file_of_many_chunks_is_read_in_order():
    text = a_file(*(a_row(ms_played=ms) for ms in range(500)))

    found, error = read(*in_chunks(text, 10_000))

    assert [row["ms_played"] for row in found] == list(range(500))
    assert error is None


def test_only_the_end_of_a_valid_file_is_scanned_token_by_token(monkeypatch):
    taken_apart = []

    def find(text):
        taken_apart.append(len(text))
        return marks.finditer(text)

    marks = json_stream._TOKENS  # noqa: SLF001 - the scan differs only in its cost
    monkeypatch.setattr(json_stream, "_TOKENS", SimpleNamespace(finditer=find))
    text = a_file(*(a_row(ms_played=ms) for ms in range(500)))

    found, _ = read(*in_chunks(text, 10_000))

    assert len(found) == 500
    assert sum(taken_apart) < 2_000


def test_memory_use_does_not_grow_with_file_size():
    start, row, end = b"[", a_file(a_row())[1:-1] + b",", b"{}]"
    chunk = row * 500
    tracemalloc.start()

    found = sum(
        len(some) for some in read_rows(iter([start, *repeat(chunk, 10), end]), UPLOADED_AT)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == 5_001
    assert peak < 6 * len(chunk)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\xef\xbb\xbf" + a_file(a_row(ms_played=1)), id="byte order mark"),
        pytest.param(b"\n \r\n" + a_file(a_row(ms_played=1)) + b"\n\n", id="blanks around"),
        pytest.param(a_file(a_row(ms_played=1))[:-1] + b",\n]", id="an extra comma"),
    ],
)
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_byte_order_mark_whitespace_or_a_trailing_comma_is_accepted(text, size):
    assert read(*in_chunks(text, size)) == (plays(1), None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(b"", "the file is empty: download it again", id="no bytes"),
        pytest.param(b"\xef\xbb\xbf \n\n\n", "the file is empty: download it again", id="blank"),
        pytest.param(
            b'{"tracks": []}', "not a history file: its text is not a JSON list", id="object"
        ),
        pytest.param(
            b"%PDF-1.7", "not a history file: its text is not a JSON list", id="other file"
        ),
        pytest.param("[{}]".encode("utf-16"), "UTF-16 text: save the file as UTF-8", id="UTF-16"),
        pytest.param(
            "[{}]".encode("utf-16-le"), "UTF-16 text: save the file as UTF-8", id="UTF-16-LE"
        ),
        pytest.param(
            "[{}]".encode("utf-16-be"), "UTF-16 text: save the file as UTF-8", id="UTF-16-BE"
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_an_empty_non_list_or_utf_16_file_is_refused(text, error, size):
    assert read(*in_chunks(text, size)) == ([], error)


CUT_OFF = "cut off: the list has no closing bracket; download the file again"
WHOLE = a_file(a_row(ms_played=1), a_row(ms_played=2))


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        pytest.param(WHOLE[:-30], [1], id="within a row"),
        pytest.param(WHOLE[: WHOLE.rindex(b"trackdone") + 3], [1], id="within a string"),
        pytest.param(WHOLE[:-2], [1, 2], id="after a row"),
        pytest.param(WHOLE[: WHOLE.index(b"},") + 2], [1], id="after a comma"),
        pytest.param(WHOLE[:300], [], id="within the first row"),
        pytest.param(b"[", [], id="after the bracket"),
    ],
)
@pytest.mark.parametrize("size", [7, 1_000_000])
def test_complete_rows_of_a_truncated_file_are_read(text, lengths, size):
    assert read(*in_chunks(text, size)) == (plays(*lengths), CUT_OFF)


@pytest.mark.parametrize("size", [7, 1_000_000])
@pytest.mark.parametrize("tail", [b"x", b"\0", WHOLE, b" " * 50 + b"]"])
def test_rows_are_read_despite_text_after_the_json_list(tail, size):
    found = read(*in_chunks(WHOLE + tail, size))

    assert found == (
        plays(1, 2),
        "text follows the closing bracket of the list: only the list is read",
    )


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        pytest.param(b'{"a": tru}', Quarantined("not valid JSON", None), id="bad literal"),
        pytest.param(b'{"a": "\\\n,"}', Quarantined("not valid JSON", None), id="bad escape"),
        pytest.param(b"{} {}", Quarantined("not valid JSON", None), id="no comma"),
        pytest.param(b'{"a": ]}', Quarantined("not valid JSON", None), id="wrong bracket"),
        pytest.param(b"}", Quarantined("not valid JSON", None), id="extra bracket"),
        pytest.param(b'{"a":"\xe9"}', Quarantined("not UTF-8 text", {"a": "�"}), id="latin-1"),
        pytest.param(rb'{"a":"\udfff"}', Quarantined("lone surrogate", {"a": "�"}), id="half"),
    ],
)
@pytest.mark.parametrize("size", [7, 1_000_000])
def test_rows_after_a_malformed_row_are_read(broken, expected, size):
    first, last = a_file(a_row(ms_played=1))[:-1], a_file(a_row(ms_played=2))[1:]

    found = read(*in_chunks(first + b"," + broken + b"," + last, size))

    assert found == ([*plays(1), expected, *plays(2)], None)


def long_row(size):
    """A row of `size` bytes."""
    row = json.dumps(a_row(ms_played=7, extra=""))
    return row.replace('"extra": ""', f'"extra": "{"x" * (size - len(row))}"').encode()


@pytest.mark.parametrize("chunk_size", [1_000, json_stream.ROW_BYTES, 1 << 20])
def test_a_row_at_the_length_limit_is_read(chunk_size):
    row = long_row(json_stream.ROW_BYTES - 1)
    text = WHOLE[:-1] + b"," + row + b"," + row + b"," + a_file(a_row(ms_played=3))[1:]

    assert read(*in_chunks(text, chunk_size)) == (plays(1, 2, 7, 7, 3), None)


@pytest.mark.parametrize("chunk_size", [1_000, json_stream.ROW_BYTES, 1 << 20])
def test_reading_stops_at_a_row_that_is_too_long(chunk_size):
    text = WHOLE[:-1] + b"," + long_row(json_stream.ROW_BYTES) + b"," + a_file(a_row())[1:]

    assert read(*in_chunks(text, chunk_size)) == (
        plays(1, 2),
        "a row is longer than 128 KiB: only the rows before it are read; download the file again",
    )


def test_reading_stops_within_5_mib_of_a_row_that_never_ends():
    chunk = b"x" * (1 << 20)
    endless = iter([WHOLE[:-2] + b', {"track": "', *repeat(chunk, 100), b'"}]'])
    found: list[Any] = []

    with pytest.raises(UploadError, match="a row is longer than 128 KiB"):
        found.extend(lists(endless))

    assert found[0] + found[1] == plays(1, 2)
    assert len(list(endless)) > 95
