"""Named statements of an SQL file."""

import re
from pathlib import Path

import pytest

from services.loader import store
from services.loader.statements import STATEMENTS
from shared.named_sql import read


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "statements.sql"
        path.write_text(text)
        return path

    return write


def test_sql_statements_are_found_by_their_name_comment(file):
    text = "-- one --\n-- Why.\nSELECT 1\n\n-- two --\nSELECT\n    2\n"

    assert read(file(text)) == {"one": "-- Why.\nSELECT 1", "two": "SELECT\n    2"}


def test_sql_text_before_the_first_name_comment_is_ignored(file):
    assert read(file("-- About this file.\n\n-- one --\nSELECT 1")) == {"one": "SELECT 1"}


def test_an_ordinary_sql_comment_is_not_a_name_comment(file):
    statement = "-- two words --\n-- two -- and more\nSELECT 1 -- two --"

    assert read(file(f"-- one --\n{statement}\n")) == {"one": statement}


def test_a_sql_file_without_name_comments_has_no_statements(file):
    assert read(file("SELECT 1")) == {}


def test_every_named_sql_statement_is_used_and_every_used_one_exists():
    source = "".join(path.read_text() for path in Path(store.__file__).parent.glob("*.py"))
    used = re.findall(r'(?:run\((?:\w+(?:\.\w+)?,)?|STATEMENTS\[)\s*"(\w+)"', source)

    assert set(used) == set(STATEMENTS)
