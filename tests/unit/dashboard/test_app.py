from contextlib import contextmanager

import pytest

from dashboard.app import create_app
from dashboard.view import RULES, Choice
from shared.errors import DatabaseAwayError, QueryError

ME = ["me", "Europe/Berlin", "2026-11-15", "2020-02-03", "2026-11-15 21:42:00", "2026-11-15", "0"]
SHE = ["she", "Asia/Kolkata", "2026-11-16", "2021-02-03", "2026-11-16 03:00:00", "2026-11-16", "0"]
SILENT = ["new", "UTC", "2026-11-15", None, None, None, "0"]


@pytest.fixture
def top(browse, listening):
    """Request the top list; return the response and the statement of its rows."""

    def ask(path, *listeners):
        reader = listening(*listeners or (ME,))
        answer = browse(reader)(path)
        return answer, reader.asked[-1] if reader.asked else None

    return ask


def test_an_empty_database_shows_the_next_three_commands(browse, no_listener):
    text = browse(no_listener)("/").text

    assert "plays upload" in text
    assert "plays login" in text
    assert "plays poll" in text


def test_a_listener_without_plays_sees_the_next_three_commands(browse, listening):
    assert "plays upload" in browse(listening(SILENT))("/").text


def test_a_page_says_that_its_plays_are_simulated(browse, listening):
    simulated: set[str] = set()
    get = browse(listening(ME, SHE), simulated=lambda: simulated)
    before = get("/top?listener=me").text
    # The simulator is polled while the page is open.
    simulated.add("me")

    assert "These plays are simulated" not in before
    assert "These plays are simulated" in get("/top?listener=me").text
    assert "These plays are simulated" not in get("/top?listener=she").text


@pytest.mark.parametrize(
    ("query", "listener"),
    [("", "she"), ("&listener=me", "me"), ("&listener=she", "she")],
)
def test_the_url_selects_the_listener_else_the_most_recent_one(top, query, listener):
    answer, asked = top(f"/top?period=2025{query}", ME, SHE)

    assert answer.status_code == 200
    assert asked.parameters["listener"] == listener


def test_an_unknown_listener_gets_a_list_of_known_ones(top):
    answer, _ = top("/top?listener=no_listener", ME, SHE)

    assert answer.status_code == 404
    assert "me, she" in answer.text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("period=2025-13", "Use a year (2025)"),
        ("rule=31s", "30s, half, done, all"),
        ("measure=ms", "plays, minutes"),
        ("kind=album_name", "artist, track, album"),
        ("sort=ms", "rank, name, plays, time, change"),
        ("search=%00", "a NUL character, which is not allowed"),
    ],
)
def test_an_invalid_argument_is_refused_with_the_valid_values(top, query, says):
    answer, _ = top(f"/top?{query}")

    assert answer.status_code == 400
    assert says in answer.text


def test_the_rule_and_measure_select_the_sql_columns():
    assert Choice(RULES["half"], "plays").columns == {
        "plays": "plays_half",
        "value": "plays_half",
        "measure": "plays",
    }
    assert Choice(RULES["half"], "minutes").columns == {
        "plays": "plays_half",
        "value": "ms",
        "measure": "ms",
    }


def test_a_search_text_is_bound_and_never_part_of_the_sql(top):
    _, asked = top("/top?period=2025&search=';DROP TABLE play;--")

    assert asked.parameters["search"] == "';DROP TABLE play;--"
    assert "DROP" not in asked.sql


def test_a_query_gets_the_dates_of_the_period_and_the_previous_one(top):
    _, asked = top("/top?period=2024-12-30..2025-03-02")

    bounds = {name: value for name, value in asked.parameters.items() if "first" in name}
    assert bounds == {
        "first": "2024-12-30",
        "head_first": "2024-12-30",
        "months_first": "2025-01-01",
        "tail_first": "2025-03-01",
        "before_first": "2024-10-28",
        "before_head_first": "2024-10-28",
        "before_months_first": "2024-11-01",
        "before_tail_first": "2024-12-01",
    }


def test_the_default_period_is_this_year_if_it_has_enough_days_with_plays(top):
    _, asked = top("/top")

    assert (asked.parameters["first"], asked.parameters["last"]) == ("2026-01-01", "2026-12-31")


def test_links_keep_the_selected_filters_and_omit_defaults(top):
    usual, _ = top("/top?period=2025")
    chosen, _ = top("/top?period=2025&rule=all&measure=minutes&listener=me", ME, SHE)

    assert 'href="/?period=2025"' in usual.text
    assert 'href="/?period=2025&amp;listener=me&amp;measure=minutes&amp;rule=all"' in chosen.text


def test_a_from_and_to_date_redirect_to_the_url_of_that_period(browse, no_listener):
    answer = browse(no_listener)("/top?from=2024-01-05&to=2024-05-05&kind=track")

    assert answer.status_code == 302
    assert answer.location == "/top?kind=track&period=2024-01-05..2024-05-05"


@pytest.mark.parametrize(
    "day", ["2025-02-30", "20250305", "2025-W01-1", "2019-12-31", "2026-11-16"]
)
def test_the_page_of_an_invalid_or_unknown_day_returns_404(top, day):
    answer, _ = top(f"/day/{day}")

    assert answer.status_code == 404


@pytest.mark.parametrize("item", ["x", "1.5", "9223372036854775808", "-9223372036854775809"])
def test_an_item_id_outside_bigint_returns_404(top, item):
    answer, asked = top(f"/artist/{item}")

    assert answer.status_code == 404
    assert asked is None


@pytest.fixture
def failing():
    """Open a page whose reader fails; return the answer."""

    def answer(error):
        @contextmanager
        def reader():
            raise error
            yield

        return create_app(reader).test_client().get("/", base_url="http://127.0.0.1:8100")

    return answer


def test_an_unavailable_database_shows_an_error_page(failing):
    answer = failing(DatabaseAwayError("no connection to Postgres"))

    assert answer.status_code == 503
    assert "The database is away" in answer.text
    assert "no connection to Postgres" in answer.text
    assert "plays status" in answer.text


def test_a_failed_statement_is_not_reported_as_an_unavailable_database(failing):
    answer = failing(QueryError("division by zero (22012)"))

    assert answer.status_code == 500
    assert "division by zero (22012)" in answer.text
    assert "away" not in answer.text
    assert "plays status" not in answer.text
    assert "The terminal" not in answer.text


def test_an_unexpected_error_refers_the_reader_to_the_terminal(failing):
    answer = failing(ZeroDivisionError())

    assert answer.status_code == 500
    assert "The terminal of <code>plays dashboard</code> says why" in answer.text


def test_names_are_html_escaped(browse, listening):
    listener = ["<script>alert(1)</script>", *ME[1:]]
    text = browse(listening(listener, ME))("/top?period=2025").text

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@pytest.mark.parametrize(
    "query",
    ["page=2", "self=x", "item=7", "_scheme=javascript&_external=1", "_anchor=x", "_method=POST"],
)
def test_links_drop_unknown_url_arguments(top, query):
    answer, _ = top(f"/top?{query}")

    assert answer.status_code == 200
    assert query.partition("&")[0] not in answer.text
    assert "javascript:" not in answer.text
