"""Rows in the text format of COPY, read back from Postgres."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader.domain.copy_format import copy_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD_TEXTS = st.text(st.sampled_from("\\\t\n\r\x0b\x0cNbfvtnr.x0🎧\u2028\ufeff"))


@pytest.fixture
def copied(connect):
    """Write rows of two texts by COPY; read them back."""
    database = connect("migrator")
    database.run("CREATE TEMPORARY TABLE note (id serial, one text, other text)")

    def copy(rows):
        database.run("TRUNCATE note")
        database.copy_in("note", ("one", "other"), copy_text(rows))
        return database.run("SELECT one, other FROM note ORDER BY id")

    return copy


@pytest.mark.parametrize(
    "text",
    ["tab\there", "line\nbreak", "carriage\rreturn", "\r\n", "back\\slash", "\\", "\\\\", "\\N",
     "\\.", "\\t", "\\x41", "\\101", "", " ", "\x0b\x0c", "NULL", "\ufeff", "\u2028", "素敵滅法",
     "🎧👩‍🎤", "'; --", '"', ":name"],
    ids=ascii,
)  # fmt: skip
def test_copy_preserves_control_characters_and_backslashes_in_rows_with_nulls(copied, text):
    assert copied([[text, None], [None, text]]) == [[text, None], [None, text]]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(st.none() | TEXTS, st.none() | ODD_TEXTS), min_size=1, max_size=20))
def test_copy_preserves_random_texts(copied, rows):
    assert copied(rows) == [list(row) for row in rows]


def test_copy_preserves_every_character_except_nul_and_surrogates(copied):
    every = "".join(chr(code) for code in range(1, 0x11_0000) if not 0xD800 <= code <= 0xDFFF)

    ((one, other),) = copied([[every, json.dumps(every)]])

    assert one == every
    assert json.loads(other) == every
