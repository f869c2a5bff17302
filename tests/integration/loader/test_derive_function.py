"""The function `derive`, from its environment to rows, with moto and a real Postgres."""

import pytest

from services.loader.derive import handler
from services.loader.store import Store
from shared.errors import DatabaseAwayError, MessageError
from tests.unit.loader.loader_examples import CONTEXT, a_batch, a_play

NOTHING = "RETURN (SELECT months FROM derived.waiting(now()));"


A_DELETION = {
    "rule": {"tracks": ["spotify:track:gone"]},
    "deleted_at": "2026-11-30T12:00:00.123456Z",
    "deleted_by": "a person",
}


@pytest.fixture(autouse=True)
def function(database, deployment):
    """Deploy the function; return what a test may change. No month is stale."""
    database.run("SELECT derived.refresh(1000)")
    deployment.know("loader")
    return deployment


@pytest.fixture
def plays(database):
    """A play of each listener; their months are marked."""
    for listener in ("me", "anna"):
        Store(database).load([a_batch(a_play(), listener=listener, origin=f"polls/{listener}/1")])


@pytest.fixture
def zones(database):
    return lambda: dict(database.run("SELECT listener, time_zone FROM listener_setting"))


def ask(**event):
    return handler(event, CONTEXT)


def left(months):
    return {"months_left": months, "moved": 0, "error": None}


def test_the_derive_function_refreshes_stale_months(plays, instead_of_refresh):
    with instead_of_refresh(NOTHING):
        assert ask(seconds=0.1) == left(2)

    assert ask() == left(0)


def test_a_rebuild_recomputes_every_month(plays, instead_of_refresh):
    ask()

    with instead_of_refresh(NOTHING):
        assert ask(seconds=0.1)["months_left"] == 0
        assert ask(seconds=0.1, rebuild=True)["months_left"] >= 2

    assert ask() == left(0)


def test_a_derive_event_with_a_time_zone_recomputes_the_whole_history(
    plays, zones, instead_of_refresh
):
    ask()

    with instead_of_refresh(NOTHING):
        assert ask(seconds=0.1, time_zones={"me": "Asia/Kolkata"})["months_left"] >= 1
    assert ask() == left(0)
    with instead_of_refresh(NOTHING):
        assert ask(seconds=0.1, time_zones={"me": "Asia/Kolkata"}) == left(0)
    ask(time_zones={"me": "Europe/Berlin"})

    assert zones() == {"me": "Europe/Berlin"}


def test_the_default_time_zone_applies_to_listeners_without_one(zones):
    ask(time_zones={"anna": "Asia/Kolkata"})

    ask(default_time_zone="Europe/Berlin")
    ask(default_time_zone="America/New_York")

    assert zones() == {"anna": "Asia/Kolkata", "me": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (
            {"time_zones": {"me": "Asia/Kolkata", "zoe": "Asia/Kolkata"}},
            "unknown listener 'zoe'; known listeners: me, anna",
        ),
        (
            {"time_zones": {"anna": "Asia/Kolkata", "me": "Europe/Berln"}},
            "Postgres knows no time zone 'Europe/Berln': did you mean Europe/Berlin or",
        ),
        (
            {"default_time_zone": "europe/berlin"},
            "Postgres knows no time zone 'europe/berlin': did you mean Europe/Berlin or",
        ),
        (
            {"time_zones": {"me": "+02:00"}},
            "Postgres knows no time zone '+02:00': give one like Europe/Berlin",
        ),
    ],
    ids=["listener", "zone", "spelling", "offset"],
)
def test_the_error_names_an_unknown_listener_or_time_zone(plays, zones, event, error):
    ask()

    answer = ask(rebuild=True, **event)

    assert answer["error"].startswith(error)
    assert answer["months_left"] is None
    assert zones() == {}


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ([], "send a JSON object"),
        ({"rebuild": "perhaps", "time_zones": []}, "correct its fields: rebuild, time_zones"),
        ({"seconds": 0}, "correct its fields: seconds"),
        ({"time_zone": {"me": "UTC"}}, "correct its fields: time_zone"),
    ],
)
def test_a_malformed_derive_event_fails_with_the_reason(event, wrong):
    with pytest.raises(MessageError, match=f"the event is not a valid Derivation; {wrong}$"):
        handler(event, CONTEXT)


def test_an_unavailable_database_fails_the_invocation(function):
    function.know("loader", port=1)

    with pytest.raises(DatabaseAwayError, match="no connection to Postgres"):
        ask()


def test_a_failed_refresh_fails_the_invocation_and_keeps_months_stale(plays, instead_of_refresh):
    with (
        instead_of_refresh("RAISE EXCEPTION 'no such luck';"),
        pytest.raises(DatabaseAwayError, match="no such luck"),
    ):
        ask()

    with instead_of_refresh(NOTHING):
        assert ask(seconds=0.1) == left(2)


@pytest.fixture
def rows_of(database, owner):
    """Count the rows about a listener by table, derived tables included."""
    tables = [
        f"{schema}.{table}"
        for schema, table in owner.run(
            "SELECT table_schema, table_name FROM information_schema.columns "
            "JOIN information_schema.tables USING (table_schema, table_name) "
            "WHERE column_name = 'listener' AND table_type = 'BASE TABLE' "
            "AND table_schema IN ('public', 'derived')"
        )
    ]

    def count(listener):
        counts = {
            table: owner.run(f"SELECT count(*) FROM {table} WHERE listener = :who", who=listener)  # noqa: S608 - names of our own tables
            for table in tables
        }
        return {table: rows for table, ((rows,),) in counts.items() if rows}

    return count


def test_removing_a_listener_deletes_all_their_rows_and_no_others(
    plays, database, function, rows_of, monkeypatch
):
    for listener in ("me", "anna"):
        origin = f"history/{listener}/1"
        database.run(
            "INSERT INTO import_report VALUES (:o, :l, 1, 0, 0, '{}', '{}', '[]', '[]')",
            o=origin,
            l=listener,
        )
        database.run("INSERT INTO poll VALUES (:o, :l, now(), 0, 0, 0, 0, 0)", o=origin, l=listener)
        database.run(
            "INSERT INTO gap (listener, started_at, ended_at, reason, origin) "
            "VALUES (:l, now(), now(), 'none', :o)",
            o=origin,
            l=listener,
        )
        Store(database).load(
            [a_batch(a_play(9_999, "gone"), listener=listener, origin=f"{origin}/2")]
        )
        ask(delete=A_DELETION | {"listener": listener})
    ask(time_zones={"me": "UTC", "anna": "America/New_York"})
    before = rows_of("me")
    assert "public.deleted_play" in before
    assert rows_of("anna").keys() == before.keys()
    monkeypatch.setenv("LISTENERS", "me")

    assert ask(remove="anna") == left(0)

    assert rows_of("anna") == {}
    assert rows_of("me") == before


def test_removing_a_listener_deletes_the_upload_reports_of_files_in_their_folder(
    database, monkeypatch
):
    for origin in ("history/anna/1", "history/annabel/1"):
        database.run(
            "INSERT INTO import_report VALUES (:o, 'me', 1, 0, 0, '{}', '{}', '[]', '[]')", o=origin
        )
    monkeypatch.setenv("LISTENERS", "me")

    ask(remove="anna")

    assert database.run("SELECT origin FROM import_report") == [["history/annabel/1"]]


def test_removing_a_listener_that_is_still_deployed_is_refused(plays, rows_of):
    answer = ask(remove="anna")

    assert answer["error"] == "anna is still a listener of this deployment"
    assert rows_of("anna")["public.listening_history"] == 1


def test_a_deletion_and_its_undo_are_idempotent_and_leave_no_month_stale(plays, database):
    Store(database).load([a_batch(a_play(60, "gone"), origin="polls/me/2")])
    undone = {"undone_at": "2026-12-01T12:00:00Z", "undone_by": "a person"}
    key = {"listener": "me", "deleted_at": A_DELETION["deleted_at"]}

    assert ask(delete=A_DELETION | {"listener": "me"}) == left(0) | {"moved": 1}
    assert database.run("SELECT count(*) FROM listening_history WHERE listener = 'me'") == [[1]]
    # Its answer was lost, so it is asked for again.
    assert ask(delete=A_DELETION | {"listener": "me"}) == left(0)

    assert ask(undo=key | undone) == left(0) | {"moved": 1}
    assert ask(undo=key | undone) == left(0)
    assert database.run("SELECT count(*) FROM listening_history WHERE listener = 'me'") == [[2]]


def test_a_deletion_of_one_listener_keeps_the_plays_of_others(plays, database):
    uri = a_play().track_uri

    ask(delete=A_DELETION | {"listener": "me", "rule": {"tracks": [uri]}})

    assert database.run("SELECT listener FROM listening_history") == [["anna"]]
