import csv
import io

import pytest

from dashboard.pages.top import as_csv, plain

ROW = {
    "rank": 1,
    "title": "Salt",
    "artist_name": "Ada Quince",
    "plays": 12,
    "ms": 123_456_789,
    "ms_estimated": 60_000,
    "share": 0.25,
    "rank_before": None,
}


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_csv_row_of_a_track_has_title_and_artist():
    assert read(as_csv([ROW], "track")) == [
        {
            "rank": "1",
            "track": "Salt",
            "artist": "Ada Quince",
            "plays": "12",
            "minutes": "2057.61",
            "minutes_estimated": "1.0",
            "share": "0.25",
            "rank_before": "",
        }
    ]


def test_a_csv_row_of_an_artist_has_one_name():
    (row,) = read(as_csv([ROW | {"title": "Ada Quince", "rank_before": 3}], "artist"))

    assert row["artist"] == "Ada Quince"
    assert row["rank_before"] == "3"
    assert "track" not in row


@pytest.mark.parametrize("text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_formula_is_escaped_in_csv(text):
    (row,) = read(as_csv([ROW | {"title": text, "artist_name": text}], "album"))

    assert row["album"] == row["artist"] == f"'{text}"


@pytest.mark.parametrize("text", ["Salt", "a=1", "", '"Meadows"', "1 + 1, or\n2"])
def test_text_that_is_not_a_formula_is_unchanged_in_csv(text):
    assert plain(text) == text
    assert read(as_csv([ROW | {"title": text}], "album"))[0]["album"] == text
