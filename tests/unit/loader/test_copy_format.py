"""Rows in the text format of COPY; read back by its rules, they are unchanged."""

import re
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from services.loader.domain.copy_format import (
    HISTORY,
    MERGED,
    copy_text,
    history_values,
    merged_values,
)
from services.loader.domain.records import API, EXPORT, Record, Row
from tests.unit.loader.loader_examples import NOON, a_play

UNESCAPED = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}
# What a message's text may hold: neither NUL nor lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD_TEXTS = st.text(st.sampled_from("\\\t\n\rNtnr.x🎧"))


def read(text: bytes) -> list[list[str | None]]:
    """Read the text format as Postgres does."""
    body = text.decode()
    assert body.endswith("\n")
    assert "\r" not in body  # Postgres would take it for the end of a row
    return [[unescaped(value) for value in line.split("\t")] for line in body[:-1].split("\n")]


def unescaped(value: str) -> str | None:
    if value == "\\N":
        return None
    return re.sub(r"\\.", lambda match: UNESCAPED[match[0]], value)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.none() | TEXTS | ODD_TEXTS, min_size=width, max_size=width), min_size=1
        )
    )
)
@example([["\\N", None], ["\\.", ""], ["a\tb", "c\nd"], ["\\", "\r\n"]])
@example([["\t"], ["\n"]])
@example([["\r"]])
@example([["one", "plain"], ["row", None]])
def test_any_text_survives_a_round_trip_through_copy_format(rows):
    assert read(copy_text(rows)) == rows


def test_a_text_equal_to_the_null_marker_of_copy_is_escaped():
    assert copy_text([["\\N", None]]) == b"\\\\N\t\\N\n"


def test_a_tab_is_escaped_in_copy_rows_of_different_lengths():
    assert copy_text([["a\tb", "c"], ["d"]]) == b"a\\tb\tc\nd\n"


def test_values_are_written_in_postgres_copy_format():
    values = [[0, -1, True, False, datetime(2026, 11, 1, 12, 0, 0, 5_000, tzinfo=UTC), 0.5]]

    assert copy_text(values) == b"0\t-1\tTrue\tFalse\t2026-11-01 12:00:00.005000+00:00\t0.5\n"


def reported(row_id=None):
    play = a_play(0.5, popularity=40)
    return Record(API, play, row_id=row_id)


def exported():
    return Record(EXPORT, a_play(2, ms_played=60_000))


def test_a_row_from_a_poll_has_no_export_time():
    api = reported()
    row = Row(None, api.play.played_at, api, None, [api])

    values = dict(zip(HISTORY, history_values(row, "me"), strict=True))

    assert (values["listener"], values["source"], values["history_ts"]) == ("me", API, None)
    assert (values["popularity"], values["ms_played"]) == (40, None)


def test_a_row_from_a_poll_and_an_export_has_the_times_of_both():
    api, export = reported(), exported()
    row = Row(None, api.play.played_at, api, export, [api, export])

    values = dict(zip(HISTORY, history_values(row, "me"), strict=True))

    assert (values["source"], values["popularity"], values["ms_played"]) == ("both", 40, 60_000)
    assert (values["played_at"], values["history_ts"]) == (api.play.played_at, a_play(2).played_at)


def test_a_row_of_one_record_stores_no_merged_records():
    export = exported()

    assert merged_values(Row(7, NOON, None, export, [export])) == []


def test_a_row_of_several_records_stores_them_all():
    api, export = reported(), exported()
    row = Row(7, api.play.played_at, api, export, [api, export])

    first, second = (dict(zip(MERGED, values, strict=True)) for values in merged_values(row))

    assert (first["play_id"], first["source"], first["played_at"]) == (7, API, api.play.played_at)
    assert (second["play_id"], second["source"], second["ms_played"]) == (7, EXPORT, 60_000)
