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


def test_statements_are_found_by_name(file):
    text = "-- one --\n-- Why.\nSELECT 1\n\n-- two --\nSELECT\n    2\n"

    assert read(file(text)) == {"one": "-- Why.\nSELECT 1", "two": "SELECT\n    2"}


def test_text_before_the_first_name_is_ignored(file):
    assert read(file("-- About this file.\n\n-- one --\nSELECT 1")) == {"one": "SELECT 1"}


def test_a_comment_with_dashes_is_not_a_name(file):
    statement = "-- two words --\n-- two -- and more\nSELECT 1 -- two --"

    assert read(file(f"-- one --\n{statement}\n")) == {"one": statement}


def test_a_file_without_names_has_no_statements(file):
    assert read(file("SELECT 1")) == {}


def test_used_and_defined_statements_are_the_same():
    source = "".join(path.read_text() for path in Path(store.__file__).parent.glob("*.py"))
    used = re.findall(r'(?:run\((?:\w+(?:\.\w+)?,)?|STATEMENTS\[)\s*"(\w+)"', source)

    assert set(used) == set(STATEMENTS)
