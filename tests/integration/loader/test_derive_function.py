"""The function `derive`, from its environment to rows, with moto and a real Postgres."""

import pytest

from services.loader.derive import handler
from services.loader.store import Store
from shared.errors import DatabaseAwayError, MessageError
from tests.unit.loader.loader_examples import CONTEXT, a_batch, a_play

NOTHING = "RETURN (SELECT months FROM derived.waiting(now()));"


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
    return {"months_left": months, "error": None}


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
def test_an_unknown_listener_or_time_zone_is_refused_by_name(plays, zones, event, error):
    ask()

    answer = ask(rebuild=True, **event)

    assert answer["error"].startswith(error)
    assert answer["months_left"] is None
    assert zones() == {}


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ([], "it is not an object"),
        ({"rebuild": "perhaps", "time_zones": []}, "rebuild, time_zones"),
        ({"seconds": 0}, "seconds"),
        ({"time_zone": {"me": "UTC"}}, "time_zone"),
    ],
)
def test_a_malformed_derive_event_fails_with_the_reason(event, wrong):
    with pytest.raises(MessageError, match=f"the event is not a derivation: {wrong}$"):
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
