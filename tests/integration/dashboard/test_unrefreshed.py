"""Each page after a load and before the refresh of the derived tables."""

import csv
import re

import pytest

from tests.integration.dashboard.site import (
    KINDS,
    PATHS,
    STATES,
    assert_complete,
    plain,
    with_query,
)

PAGES = [path for path in PATHS if "kind=" not in path]
INSERT = (
    "INSERT INTO listening_history (listener, source, track_uri, track_name, artist_name, "
    "played_at, ms_played) VALUES ('me', 'extended-history', 'spotify:track:1', 'Salt', "
    "'Ada Quince', '2025-03-05 21:04Z', 180000)"
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_works_with_plays_not_yet_refreshed(get, owner, database, path):
    owner.run(INSERT)

    for state in STATES:
        assert_complete(get(with_query(path, state)))


def test_a_play_not_yet_refreshed_shows_the_names_in_its_own_record(get, owner, database):
    owner.run(INSERT)

    text = plain(get("/day/2025-03-05").text)

    assert "Salt" in text
    assert "Ada Quince" in text


def test_the_total_above_a_list_is_at_least_the_number_of_listed_plays(get, owner, database):
    owner.run(
        "INSERT INTO listening_history (listener, source, track_uri, track_name, artist_name, "
        "played_at, ms_played) SELECT 'me', 'extended-history', 'spotify:track:1', 'Salt', "
        "'Ada Quince', '2025-03-05 21:04Z'::timestamptz + n * interval '1 minute', 60000 "
        "FROM generate_series(1, 201) n"
    )

    assert "200 plays" in plain(get("/plays?period=2025").text)


WAITING = 6
"""The months of the renamed plays, of the new play and of a late play."""


@pytest.fixture
def renamed(database):
    """Plays of a compilation in four months. A later poll names their artist."""
    for month in range(1, 5):
        _hear(database, f"2025-0{month}-05 21:04Z", "1", "Various Artists", 180_000)
    database.run("SELECT derived.refresh(1000)")
    _hear(database, "2025-06-05 21:04Z", "1", "Ada Quince", None)
    _hear(database, "2024-12-05 21:04Z", "2", "Wren", 180_000)
    return database


def _hear(database, played_at, track, artist, ms):
    database.run(
        "INSERT INTO listening_history (listener, source, track_uri, track_name, artist_name, "
        "album_name, played_at, ms_played) VALUES ('me', :source, :uri, 'Salt', :artist, 'Tides', "
        ":played_at, :ms)",
        source="recently-played" if ms is None else "extended-history",
        uri=f"spotify:track:{track}", artist=artist, played_at=played_at, ms=ms,
    )  # fmt: skip


def _while_months_wait(database):
    """Refresh month by month; yield before each month and after the last."""
    assert database.run("SELECT derived.refresh(0)") == [[WAITING]]
    for left in range(WAITING - 1, -1, -1):
        yield
        assert database.run("SELECT derived.refresh(1)") == [[left]]
    yield


@pytest.mark.parametrize("path", [*PAGES, "/day/2025-06-05"])
def test_every_page_works_while_an_artist_rename_is_partly_refreshed(get, renamed, path):
    for _ in _while_months_wait(renamed):
        for state in (*STATES, "period=2025-01-10..2025-06-10", "period=2025-02"):
            assert_complete(get(with_query(path, state)))


def test_every_top_list_works_while_an_artist_rename_is_partly_refreshed(get, renamed):
    for _ in _while_months_wait(renamed):
        for page in ("top", "top.csv"):
            for kind in KINDS:
                for period in ("2025", "all", "2025-01-10..2025-06-10"):
                    assert_complete(get(f"/{page}?kind={kind}&period={period}&sort=name"))


def test_item_pages_work_while_an_artist_rename_is_partly_refreshed(get, owner, renamed):
    for _ in _while_months_wait(renamed):
        for kind in KINDS:
            items = owner.run(f"SELECT {kind}_id FROM reporting.{kind}s")  # noqa: S608 - our words
            for (item,) in items:
                assert_complete(get(f"/{kind}/{item}?period=all"))


def test_a_refresh_deletes_names_that_have_no_plays(owner, renamed):
    *_, _ = _while_months_wait(renamed)

    names = owner.run("SELECT name FROM derived.name WHERE kind = 'artist' ORDER BY name")
    assert names == [["Ada Quince"], ["Wren"]]


def test_every_page_shows_that_a_refresh_is_pending(get, owner, load, database):
    owner.run(INSERT)
    owner.run(INSERT.replace("2025-03-05", "2025-04-05"))

    for path in PAGES:
        assert "Being computed. 2 months changed" in plain(get(path).text), path

    load()

    for path in PAGES:
        assert "Being computed" not in plain(get(path).text), path


@pytest.fixture
def unseen(database):
    """Ten artists, and two plays of another one that no refresh has seen. Each has another time."""
    for n in range(10):
        _hear(database, f"2025-03-05 21:1{n}Z", str(n), f"Band {n}", 180_000 + n)
    database.run("SELECT derived.refresh(1000)")
    for minute in (30, 40):
        _hear(database, f"2025-03-05 21:{minute}Z", "x", "Ada Quince", 200_000)


def test_plays_not_yet_refreshed_do_not_shift_the_ranks(get, unseen):
    assert len(set(re.findall(r"Band \d", get("/rank?period=2025-03").text))) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_shares_of_the_top_list_add_up_to_1_despite_plays_not_yet_refreshed(get, unseen, kind):
    answer = get(f"/top.csv?kind={kind}&period=2025-03-01..2025-03-20")

    shares = [float(row["share"]) for row in csv.DictReader(answer.text.splitlines())]
    assert sum(shares) == pytest.approx(1, abs=0.001)
