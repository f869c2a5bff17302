"""Each statement of docs/reporting.md and README.md runs unchanged and answers correctly."""

import re
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.queries import Query
from shared.query_texts import decode
from tests.integration.loader.small_history import (
    BOATS,
    OLD_SONG,
    TRAINS,
    hear,
    hear_live,
    refresh,
    store,
)

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "reporting.md"
HEADING = re.compile(r"^### (.*)$", re.MULTILINE)
STATEMENT = re.compile(r"^```sql\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def read_questions() -> dict[str, list[str]]:
    """Return the statements below each heading."""
    _, *parts = HEADING.split(DOCS.read_text())
    found = {
        heading: STATEMENT.findall(text)
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }
    return {heading: statements for heading, statements in found.items() if statements}


QUESTIONS = read_questions()


def clock(text: str) -> datetime:
    """Return a local time of the listener, without a zone."""
    return datetime.fromisoformat(text)


def month(year: int, number: int) -> date:
    return date(year, number, 1)


# Counted by hand from small_history; a list of rows for each statement.
ANSWERS = {
    "Who was my favourite artist of 2019?": [[("The Example", 3, 12)]],
    "Which track did I play most last summer?": [[]],
    "How many minutes in 2024 against 2023?": [[(12, 20, -40)]],
    # 4 min 20 s, 4, 4, nothing for three days, 5.
    "How does it run from day to day?": [
        [
            (date(2019, 3, 10), Decimal("4.33"), Decimal("4.3"), False),
            (date(2019, 3, 11), 4, Decimal("4.2"), False),
            (date(2019, 3, 12), 4, Decimal("4.1"), False),
            (date(2019, 3, 13), 0, Decimal("3.1"), False),
            (date(2019, 3, 14), 0, Decimal("2.5"), False),
            (date(2019, 3, 15), 0, Decimal("2.1"), False),
            (date(2019, 3, 16), 5, Decimal("2.5"), False),
        ]
    ],
    # A Monday and a Tuesday evening, Saturday after midnight and noon, Sunday evening with a skip.
    "When do I listen?": [
        [(1, 22, 1, 4), (2, 22, 1, 4), (6, 0, 1, 5), (6, 12, 1, 5), (7, 21, 1, Decimal("4.3"))]
    ],
    "What do I play late in the evening?": [[("The Example", 2)]],
    "What did I play on one day?": [[(clock("2019-03-16 00:10"), "Trains", "Other", 5, False)]],
    "When did I first hear an artist?": [
        [(date(2019, 3, 10), date(2024, 6, 2), (date(2024, 6, 2) - date(2019, 3, 10)).days, 7, 3)]
    ],
    "Which tracks have I played most, ever?": [
        [
            ("Old Song", "Other Two", 20, date(2023, 5, 1), 20, date(2023, 5, 1)),
            ("Boats", "The Example", 7, date(2019, 3, 10), 2, date(2024, 6, 1)),
            ("Trains", "Other", 3, date(2019, 3, 10), 1, date(2019, 3, 10)),
        ]
    ],
    "Who rose and who fell in 2019?": [
        [
            (month(2019, 3), 1, "The Example"),
            (month(2019, 3), 2, "Other"),
            (month(2019, 5), 1, "Other"),
        ]
    ],
    "How much was new each month?": [
        [
            (month(2019, 3), 2, 2, 100),
            (month(2019, 5), 0, 0, 0),
            (month(2020, 1), 0, 0, 0),
            (month(2023, 5), 1, 1, 100),
            (month(2024, 6), 0, 0, 0),
        ]
    ],
    "How varied is what I hear?": [
        [
            (month(2019, 3), 2, 1, 1),
            (month(2019, 5), 1, 1, 1),
            (month(2020, 1), 2, 1, 1),
            (month(2023, 5), 1, 1, 1),
            (month(2024, 6), 1, 1, 1),
        ]
    ],
    "What did I forget?": [
        [
            (
                "Old Song",
                "Other Two",
                20,
                date(2023, 5, 1),
                (date(2024, 6, 2) - date(2023, 5, 1)).days,
            )
        ]
    ],
    "What was I obsessed with?": [[(date(2023, 5, 1), "Old Song", "Other Two", 20)]],
    "What was my longest session?": [[(clock("2023-05-01 10:00"), 20, 20)]],
    "What is my longest streak?": [[(date(2019, 3, 10), date(2019, 3, 12), 3, 0, False)]],
    "When did I reach a milestone?": [[(1, date(2019, 3, 10), "Boats", "The Example")]],
    "Whom do I skip?": [[("Other", 1, 4, 25)]],
    "How often do I skip?": [
        [
            (month(2019, 3), Decimal("0.2"), 5, 5),
            (month(2019, 5), 0, 1, 1),
            (month(2020, 1), 0, 1, 2),
            (month(2023, 5), 0, 20, 20),
            (month(2024, 6), 0, 3, 3),
        ]
    ],
    "On which devices?": [[("windows", 27), ("ios", 3), ("unknown", 1)]],
    # Boats alone has features.
    "In which mood was each month?": [
        [
            (month(2019, 3), Decimal("0.6"), Decimal("0.8"), 120, 60),
            (month(2019, 5), None, None, None, 0),
            (month(2020, 1), Decimal("0.6"), Decimal("0.8"), 120, 50),
            (month(2023, 5), None, None, None, 0),
            (month(2024, 6), Decimal("0.6"), Decimal("0.8"), 120, 100),
        ]
    ],
    "In which mood is each hour?": [
        [
            (0, None, 0),
            (10, None, 0),
            (12, Decimal("0.8"), 33),
            (15, Decimal("0.8"), 100),
            (21, Decimal("0.8"), 50),
            (22, Decimal("0.8"), 100),
        ]
    ],
    "What was the year like?": [
        [
            (2019, 5, Decimal("22.33"), 2, 2, "The Example", "Boats", date(2019, 3, 16), None),
            (2020, 2, 7, 2, 0, "The Example", "Boats", date(2020, 1, 5), 5),
            (2023, 20, 20, 1, 1, "Other Two", "Old Song", date(2023, 5, 1), None),
            (2024, 3, 12, 1, 0, "The Example", "Boats", date(2024, 6, 1), 20),
        ]
    ],
    "What do two of us share?": [[("Other", 4, 2), ("The Example", 7, 1)]],
    # A minute of Old Song is less than half of any track, and was not its end.
    "Why does another tool count differently?": [
        [(2019, 6, 5, 5, 5), (2020, 2, 2, 2, 2), (2023, 20, 20, 0, 0), (2024, 3, 3, 3, 3)]
    ],
    "How much is estimated?": [
        [(2019, Decimal("22.3"), 0), (2020, 7, Decimal("57.1")), (2023, 20, 0), (2024, 12, 0)]
    ],
    "What is missing?": [
        [
            (
                datetime(2024, 6, 30, 22, tzinfo=UTC),
                datetime(2024, 7, 1, 22, tzinfo=UTC),
                24,
                "no answer",
            )
        ],
        [(month(2024, 7), 97, 1)],
    ],
    "Is it up to date?": [
        [
            ("anna", "UTC", datetime(2024, 6, 1, 7, 20, tzinfo=UTC), None, 0, 0),
            ("me", "Europe/Berlin", datetime(2024, 6, 2, 13, tzinfo=UTC), None, 0, 1),
        ]
    ],
    "Did my export load?": [[("history/me/export.zip", 30, 30, 0, 0, True)]],
}


@pytest.fixture
def ask(database, owner, connect):
    """Store the small history, and query it as `plays sql` does, in a distant time zone."""

    def statement(text: str) -> list[tuple[Any, ...]]:
        refresh(database)
        tool.run("SET TimeZone TO 'Pacific/Kiritimati'")
        return [tuple(row) for row in decode(tool.read(Query(sql=text)))]

    store(database, owner)
    tool = connect("report_reader")
    return statement


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_sql_example_in_the_docs_returns_the_expected_rows(question, ask):
    answers = [ask(statement) for statement in QUESTIONS[question]]

    assert answers == ANSWERS[question]


def test_the_readme_query_counts_polled_plays_and_fractions_of_hours(database, owner, rows):
    (statement,) = STATEMENT.findall((ROOT / "README.md").read_text())
    store(database, owner)
    hear_live(database, BOATS, "2020-02-05 12:00", 84)
    rows("SET TIME ZONE 'UTC'")  # its months are those of the session's zone

    found = [(f"{month:%Y-%m}", plays, float(hours)) for month, plays, hours in rows(statement)]

    assert found == [
        ("2019-03", 4, 0.3),
        ("2019-05", 1, 0.1),
        ("2020-01", 2, 0.1),
        ("2020-02", 1, 1.4),
        ("2023-05", 20, 0.3),
        ("2024-06", 6, 0.4),
    ]


def test_every_sql_example_in_the_docs_is_below_a_heading_with_a_question():
    below_questions = sum(len(statements) for statements in QUESTIONS.values())

    assert below_questions == DOCS.read_text().count("```sql")


def test_every_question_in_the_docs_has_an_expected_answer_in_the_tests():
    assert list(QUESTIONS) == list(ANSWERS)


def test_the_last_summer_query_covers_june_to_august_of_one_year(ask, database):
    (statement,) = QUESTIONS["Which track did I play most last summer?"]
    ((year,),) = ask("SELECT extract(year FROM current_date - interval '8 months')::integer")
    for day in ("05-31", "09-01"):
        for minute in (10, 20, 30):
            hear(database, OLD_SONG, f"{year}-{day} 12:{minute}", 3)
    for day in ("06-01 00:10", "08-31 23:50"):
        hear(database, BOATS, f"{year}-{day}", 3)
    hear(database, TRAINS, f"{year}-07-01 12:00", 5)
    hear(database, OLD_SONG, f"{year - 1}-07-01 12:00", 5)

    assert ask(statement) == [("Boats", "The Example", 2)]


@pytest.fixture
def table() -> list[tuple[set[str], set[str]]]:
    """Return the views and columns of each row of the table."""
    text = DOCS.read_text().partition("## Which view")[2].partition("## What the numbers")[0]
    lines = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    return [(named(cells[2]), named(cells[4])) for cells in lines]


def named(cell: str) -> set[str]:
    return set(re.findall(r"`([a-z_0-9]+)`", cell))


@pytest.fixture
def stored(owner) -> dict[str, set[str]]:
    """Return the columns of each view."""
    found = defaultdict(set)
    for view, column in owner.run(
        "SELECT table_name::text, column_name::text FROM information_schema.columns "
        "WHERE table_schema = 'reporting'"
    ):
        found[view].add(column)
    return found


def test_the_docs_table_lists_every_reporting_view(table, stored):
    assert set().union(*(views for views, _ in table)) == set(stored)


def test_each_column_in_the_docs_table_is_in_a_view_of_its_row(table, stored):
    unknown = [
        column
        for views, columns in table
        for column in columns - set().union(*(stored[view] for view in views))
    ]

    assert unknown == []
