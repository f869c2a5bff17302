"""`plays sql` with a real Postgres, read directly and by the function `queries`."""

import json
import os
import sys
from contextlib import suppress

import pytest
from typer.testing import CliRunner

from cli.main import app

TWO = "SELECT * FROM (VALUES (1, 'a', NULL), (2, '', 'b')) AS v (id, text, more) ORDER BY id"


def test_rows_are_printed_as_a_table_by_default(plays):
    result = plays("sql", TWO)

    assert result.exit_code == 0
    assert result.stdout == "id  text  more\n 1  a     NULL\n 2        b\n"
    assert result.stderr == "2 rows\n"


def test_the_output_says_1_row_not_1_rows(plays):
    assert plays("sql", "SELECT 1").stderr == "1 row\n"


def test_option_json_prints_a_list_of_objects(plays):
    result = plays("sql", TWO, "--json")

    assert json.loads(result.stdout) == [
        {"id": 1, "text": "a", "more": None},
        {"id": 2, "text": "", "more": "b"},
    ]


def test_option_csv_prints_a_header_and_rows(plays):
    assert plays("sql", TWO, "--csv").stdout == 'id,text,more\n1,a,\n2,"",b\n'


HOSTILE = "SELECT U&'\\009b2J\\202e' AS x"


def test_json_escapes_control_characters_without_loss(plays):
    shown = plays("sql", HOSTILE, "--json").stdout

    assert json.loads(shown) == [{"x": "\x9b2J\u202e"}]
    assert shown.isascii()


def test_csv_keeps_control_characters_in_a_file(plays):
    assert plays("sql", HOSTILE, "--csv").stdout == "x\n\x9b2J\u202e\n"


def test_csv_escapes_control_characters_on_a_terminal(target, monkeypatch):
    screen, typed = os.openpty()
    with os.fdopen(typed, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        app(["sql", HOSTILE, "--csv"], obj=lambda: target, standalone_mode=False)

    assert read_all(screen).split() == ["x", "\\u009b2J\\u202e"]


def read_all(screen):
    """Read a terminal to its end, then close it."""
    with os.fdopen(screen, "rb", buffering=0) as terminal:
        lines = []
        # Linux ends a terminal with EIO once its program has closed it.
        with suppress(OSError):
            while line := terminal.read(1_000):
                lines.append(line)
    return b"".join(lines).decode()


def test_the_statement_can_come_from_stdin(target):
    result = CliRunner().invoke(
        app, ["sql", "-", "--csv"], input="SELECT '素敵' AS a -- so\n", obj=lambda: target
    )

    assert result.stdout == "a\n素敵\n"


def test_a_statement_that_is_not_utf_8_is_refused(target):
    result = CliRunner().invoke(app, ["sql", "-"], input=b"SELECT '\xff'", obj=lambda: target)

    assert result.exit_code == 1
    assert result.stderr == "plays: the statement is not UTF-8 text: save it as UTF-8\n"


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("SELECT x FROM poll", 'column "x" does not exist at character 8 (42703)'),
        (
            "INSERT INTO poll (origin) VALUES ('a') RETURNING 1",
            "cannot execute INSERT in a read-only transaction (25006)",
        ),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands into a prepared statement (42601)"),
    ],
)
def test_an_error_from_postgres_is_printed_as_one_line(plays, statement, line):
    result = plays("sql", statement)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"plays: {line}\n"


def test_a_result_over_5_mb_is_a_one_line_error(plays):
    result = plays("sql", "SELECT repeat('x', 1000) FROM generate_series(1, 6000)", "--csv")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("plays: the result is larger than 5 MB: read it in parts")
    assert result.stderr.count("\n") == 1


def test_options_json_and_csv_exclude_each_other(plays):
    result = plays("sql", "SELECT 1", "--json", "--csv")

    assert (result.exit_code, result.stderr) == (1, "plays: choose --json or --csv, not both\n")


def test_plays_sql_help_has_two_examples():
    shown = CliRunner().invoke(app, ["sql", "--help"]).stdout

    assert shown.count('plays sql "') + shown.count("plays sql --json") == 2
