"""Many stored records near the plays of a load: few queries find them, and too many are refused."""

from datetime import timedelta

import pytest

from services.loader import handler, store
from services.loader.statements import STATEMENTS
from services.loader.store import Store
from shared.errors import DatabaseRefusalError
from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, a_play, plays_apart

MOST = 60


@pytest.fixture
def low_bound(monkeypatch):
    monkeypatch.setattr(store, "MOST_NEAR_RECORDS", MOST)


@pytest.fixture
def queries(database, monkeypatch):
    """The statements that the loader's connection has run, with parameters and answers."""
    run, sent = database.run, []

    def noted(statement, **parameters):
        answer = run(statement, **parameters)
        sent.append((statement, parameters, answer))
        return answer

    monkeypatch.setattr(database, "run", noted)
    return sent


def chain(first, last, step_s=1):
    """Export records of one track and one length, each near the next."""
    return [a_play(step_s * n, ms_played=60_000) for n in range(first, last)]


def export(*plays, origin="upload", number=0):
    return a_batch(*plays, source=EXPORT, origin=origin, number=number)


def near_queries(sent):
    """The parameters and the answer of each search for stored plays near others."""
    return [rest for statement, *rest in sent if statement == STATEMENTS["near_plays"]]


def test_loading_plays_far_in_time_from_all_stored_ones_takes_one_lookup_query(load, queries):
    load(export(*plays_apart(50)))
    queries.clear()

    load(export(*plays_apart(50, first=50), number=1))

    assert len(near_queries(queries)) == 1
    assert not [statement for statement, *_ in queries if "merged_record\n" in statement]


def test_plays_of_one_track_close_in_time_are_looked_up_as_one_time_range(load, queries):
    load(export(*(a_play(hours * 3_600 + 200 * n) for n in range(10) for hours in (0, 1, 5))))

    ((parameters, _),) = near_queries(queries)
    assert parameters["exports"].count("[") == 3


def test_loading_a_play_amid_3000_records_one_second_apart_takes_at_most_ten_queries(
    load, queries, rows
):
    load(*(export(*chain(n, n + 500), number=n) for n in range(0, 3_000, 500)))
    queries.clear()

    load(export(a_play(1_500.5, ms_played=60_000), number=9_999))

    assert len(near_queries(queries)) <= 10
    # The chain is made of pairs 1 s apart; the play between two of them joins one.
    assert rows("SELECT count(*) FROM listening_history") == [[1_500]]
    assert rows("SELECT inserted, duplicates FROM loaded_batch WHERE number = 9999") == [[0, 1]]


CROWDS = {
    "a chain": (chain(0, MOST + 20), a_play(30.5, ms_played=60_000)),
    "one play of many uris": (
        [a_play(0, f"t{n}", track_name="Name", ms_played=1) for n in range(MOST + 20)],
        a_play(0, "new", track_name="Name", ms_played=1),
    ),
    "many tracks at one instant": (
        [a_play(0, f"t{n}", ms_played=1) for n in range(MOST + 20)],
        a_play(0, "new", ms_played=1),
    ),
}


@pytest.fixture(params=CROWDS.values(), ids=list(CROWDS))
def crowd(request, load):
    """Store more records near a play than a load may read; return one more play among them."""
    plays, another = request.param
    load(export(*plays))
    return another


def test_a_play_near_more_than_60_stored_records_is_refused(crowd, low_bound, load, rows):
    before = rows("SELECT * FROM listening_history ORDER BY id")

    with pytest.raises(
        DatabaseRefusalError, match=r"more than 60 .*spotify:track:\w+ of listener me at 20"
    ):
        load(export(crowd, origin="again"))

    assert rows("SELECT * FROM listening_history ORDER BY id") == before
    assert rows("SELECT count(*) FROM loaded_batch") == [[1]]


def test_only_the_message_with_a_play_near_too_many_records_fails(crowd, low_bound, load, rows):
    far = [export(a_play(86_400 * n), origin=f"far-{n}") for n in (1, 2, 3)]
    messages = [
        ("m0", far[0]),
        ("m1", export(crowd, origin="among")),
        ("m2", far[1]),
        ("m3", far[2]),
    ]

    failed = handler._load(messages, lambda batches: load(*batches))  # noqa: SLF001 - what an event's messages go through

    assert failed == ["m1"]
    assert rows("SELECT count(*) FROM listening_history WHERE played_at > '2026-11-02'") == [[3]]


def test_refusing_a_play_near_too_many_records_takes_at_most_four_small_queries(
    crowd, low_bound, load, queries
):
    queries.clear()

    with pytest.raises(DatabaseRefusalError):
        load(export(crowd, origin="again"))

    found = [len(answer) for _, answer in near_queries(queries)]
    assert len(found) <= 4
    assert max(found) <= MOST + 1


def test_a_play_near_exactly_60_stored_records_is_merged(low_bound, load, rows):
    plays = chain(0, MOST)
    load(export(*plays))

    load(export(plays[0], number=1))

    assert rows("SELECT duplicates FROM loaded_batch WHERE number = 1") == [[1]]


def test_the_refusal_names_the_play_near_too_many_records_not_another_of_its_load(
    low_bound, database, load
):
    load(export(*chain(0, MOST + 1)))
    beside = export(*(a_play(-86_400 * n, f"other{n}") for n in range(5)), origin="beside")
    load(beside)

    with pytest.raises(DatabaseRefusalError) as refusal:
        load(export(*beside.plays, *chain(0, 1), origin="both"))

    assert "spotify:track:boats of listener me at 2026-11-01T12:00" in str(refusal.value)


def test_the_widest_match_window_pairs_no_plays_beyond_600_s(database, rows):
    wide = Store(database, timedelta(seconds=600))
    wide.load([a_batch(a_play(0), a_play(599, "b"))])

    wide.load([export(a_play(600, ms_played=60_000), a_play(-2, "b", ms_played=60_000))])

    assert rows("SELECT source, played_at FROM listening_history ORDER BY played_at, source") == [
        [EXPORT, NOON - timedelta(seconds=2)],
        ["both", NOON],
        ["recently-played", NOON + timedelta(seconds=599)],
    ]
