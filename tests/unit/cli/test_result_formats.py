import json

import pytest

from cli.errors import CommandError
from cli.result_formats import csv_lines, json_text, table_lines
from shared.queries import Column, Result

TEXT, INTEGER, NUMERIC, FLOAT, BOOLEAN = 25, 23, 1700, 701, 16
TIMESTAMPTZ, JSONB, TEXT_ARRAY, NUMERIC_ARRAY, TIME = 1184, 3802, 1009, 1231, 1083


def a_result(*columns, rows=()):
    return Result(
        columns=tuple(Column(name=name, type_oid=oid) for name, oid in columns), rows=list(rows)
    )


def one(oid, text):
    return a_result(("x", oid), rows=[[text]])


def test_a_table_aligns_text_left_and_numbers_right():
    result = a_result(
        ("name", TEXT), ("plays", INTEGER), rows=[["a", "7"], ["long name", "12"]]
    )  # fmt: skip

    assert list(table_lines(result, 80)) == [
        "name       plays",
        "a              7",
        "long name     12",
    ]


def test_wide_characters_keep_the_columns_aligned():
    result = a_result(("name", TEXT), ("by", TEXT), rows=[["素敵", "a"], ["ab", "c"]])

    assert list(table_lines(result, 80)) == ["name  by", "素敵  a", "ab    c"]


def test_a_too_wide_table_becomes_one_block_per_row():
    result = a_result(
        ("id", INTEGER), ("track_name", TEXT), rows=[["1", "x" * 77], ["2", None]]
    )  # fmt: skip

    assert list(table_lines(result, 80)) == [
        "--- row 1 ---",
        "id          1",
        "track_name  " + "x" * 77,
        "--- row 2 ---",
        "id          2",
        "track_name  NULL",
    ]


def test_a_table_that_just_fits_stays_a_table():
    result = a_result(("a", TEXT), ("b", TEXT), rows=[["x" * 39, "y" * 39]])

    assert len(list(table_lines(result, 80))) == 2
    assert len(list(table_lines(result, 79))) == 3


def test_a_table_without_rows_shows_its_columns():
    assert list(table_lines(a_result(("name", TEXT), ("b", TEXT)), 3)) == ["name  b"]


def test_a_table_distinguishes_null_from_the_empty_text():
    result = a_result(("a", TEXT), ("b", TEXT), rows=[[None, "x"], ["", "x"]])

    assert list(table_lines(result, 80)) == ["a     b", "NULL  x", "      x"]


@pytest.mark.parametrize("width", [80, 5], ids=["table", "blocks"])
def test_a_table_escapes_control_characters(width):
    result = a_result(("a\x1b[2J", TEXT), rows=[["\x1b]0;x\x07 \x9b1m\r\n\u2028 [red]b[/x]"]])

    shown = "\n".join(table_lines(result, width))

    assert "\\u001b]0;x\\u0007 \\u009b1m\\u000d\\n\\u2028 [red]b[/x]" in shown
    assert "a\\u001b[2J" in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@pytest.mark.parametrize(
    ("oid", "text", "value"),
    [
        (INTEGER, "7", 7),
        (NUMERIC, "1.5", 1.5),
        (NUMERIC, "9007199254740993", 9007199254740993),
        (NUMERIC, "NaN", "NaN"),
        (FLOAT, "1e+20", 1e20),
        (FLOAT, "-Infinity", "-Infinity"),
        (BOOLEAN, "f", False),
        (TEXT, "", ""),
        (TEXT, None, None),
        (JSONB, '{"a": [1, null]}', {"a": [1, None]}),
        (TEXT_ARRAY, '{a,NULL,"b,c"}', ["a", None, "b,c"]),
        (NUMERIC_ARRAY, "{1.5,NaN}", [1.5, "NaN"]),
        (TIMESTAMPTZ, "2026-07-01 12:00:00.005+00", "2026-07-01T12:00:00.005000Z"),
        (TIMESTAMPTZ, "2026-07-01 12:00:00+02", "2026-07-01T10:00:00Z"),
        (TIMESTAMPTZ, "infinity", "infinity"),
        (TIME, "24:00:00", "24:00:00"),
        (TIME, "12:30:00", "12:30:00"),
        (999_999, "a new type", "a new type"),
    ],
)
def test_each_postgres_type_has_a_json_value(oid, text, value):
    assert json.loads(json_text(one(oid, text)), parse_constant=pytest.fail) == [{"x": value}]


def test_json_refuses_two_columns_with_one_name():
    with pytest.raises(CommandError, match=r"two columns are named x: rename one with AS"):
        json_text(a_result(("x", TEXT), ("y", TEXT), ("x", TEXT)))


def test_csv_distinguishes_null_from_the_empty_text():
    result = a_result(
        ("a", TEXT),
        ("b,c", TEXT),
        rows=[[None, ""], ['say "hi"', "two\nlines"], [" padded", "plain 素敵"]],
    )

    assert list(csv_lines(result)) == [
        'a,"b,c"',
        ',""',
        '"say ""hi""","two\nlines"',
        '" padded",plain 素敵',
    ]
