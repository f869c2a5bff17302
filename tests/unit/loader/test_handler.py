"""What the loader reports to its queue; the database is a function here."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from services.loader import handler as loader
from services.loader.handler import ANSWER_TIMEOUT_S, REFRESH_S
from services.loader.settings import DatabaseSettings, LoaderSettings
from shared.errors import DatabaseAwayError, DatabaseRefusalError, SettingsError
from shared.models import EnrichedBatch
from tests.unit.loader.loader_examples import (
    CONTEXT,
    a_batch,
    a_play,
    an_event,
    failures,
    features,
    origins,
)

GOOD = a_batch(a_play())
PLAIN = json.loads(GOOD.model_dump_json(exclude_none=True))


class FakeLoader:
    """A loader that refuses batches of some origins and keeps the others."""

    def __init__(self):
        self.refused = set()
        self.kept = []
        self.tries = 0
        self.refreshed = []

    def load(self, batches):
        self.tries += 1
        if self.refused & set(origins(batches)):
            raise DatabaseRefusalError("integer out of range (22003)")
        self.kept += batches

    def refresh(self, batches, most_s):
        self.refreshed.append((batches, most_s))


@pytest.fixture
def fake(monkeypatch):
    fake = FakeLoader()
    monkeypatch.setattr(loader, "wire", lambda: fake)
    return fake


def run(*bodies):
    return failures(loader.handler(an_event(*bodies), CONTEXT))


def batches(count):
    return [a_batch(a_play(), origin=f"origin-{number}") for number in range(count)]


def test_all_batches_of_an_sqs_event_are_loaded_in_order(fake):
    assert run(*batches(3)) == []
    assert (origins(fake.kept), fake.tries) == (["origin-0", "origin-1", "origin-2"], 1)


def test_a_batch_in_an_sqs_message_is_loaded_unchanged(fake):
    batch = a_batch(a_play(ms_played=0, shuffle=False), features=(features(tempo=120.5),))

    run(batch)

    assert fake.kept == [batch]


def test_an_event_without_messages_loads_nothing(fake):
    assert run() == []
    assert fake.tries == 0


def test_only_the_unparsable_message_fails(fake):
    first, last = batches(2)

    assert run(first, "{", last) == ["m1"]
    assert fake.kept == [first, last]


def test_an_event_of_only_unparsable_messages_does_not_use_the_database(fake):
    assert run("{", "[]") == ["m0", "m1"]
    assert (fake.tries, fake.refreshed) == (0, [])


def test_the_refresh_gets_all_batches_of_the_event(fake):
    fake.refused = {"origin-0"}
    all_batches = batches(3)

    run(*all_batches, "{")

    ((refreshed, _),) = fake.refreshed
    assert refreshed == all_batches


@pytest.mark.parametrize(
    ("remaining_ms", "most_s"),
    [(60_000, REFRESH_S), (39_000, 13), (3_000, 1)],
    ids=["as deployed", "late", "short"],
)
def test_a_refresh_takes_at_most_a_third_of_the_remaining_time(fake, remaining_ms, most_s):
    context: Any = SimpleNamespace(
        **{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: remaining_ms}
    )

    loader.handler(an_event(*batches(1)), context)

    assert [seconds for _, seconds in fake.refreshed] == [most_s]


def test_the_refresh_timeout_is_below_the_socket_timeout():
    assert REFRESH_S < ANSWER_TIMEOUT_S


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_only_the_batch_that_the_database_refuses_fails(fake, count, place):
    all_batches = batches(count)
    fake.refused = {all_batches[place].origin}

    assert run(*all_batches) == [f"m{range(count)[place]}"]
    assert origins(fake.kept) == [b.origin for b in all_batches if b is not all_batches[place]]


def test_only_two_refused_batches_and_an_unparsable_message_fail(fake):
    fake.refused = {"origin-1", "origin-4"}
    first, *rest = batches(6)

    assert run(first, "{", *rest) == ["m1", "m2", "m5"]
    assert origins(fake.kept) == ["origin-0", "origin-2", "origin-3", "origin-5"]


def test_bisecting_ten_batches_for_a_refused_one_takes_at_most_9_loads(fake):
    fake.refused = {"origin-7"}

    run(*batches(10))

    assert fake.tries <= 9


def test_an_unavailable_database_fails_the_invocation(fake, monkeypatch):
    def load(batches):
        raise DatabaseAwayError("no connection to Postgres")

    monkeypatch.setattr(fake, "load", load)

    with pytest.raises(DatabaseAwayError):
        run("{", *batches(2))
    assert fake.refreshed == []


def test_a_database_lost_while_bisecting_fails_the_invocation(fake, monkeypatch):
    def load(batches):
        if len(batches) == 1:
            raise DatabaseAwayError("no connection to Postgres")
        raise DatabaseRefusalError("integer out of range (22003)")

    monkeypatch.setattr(fake, "load", load)

    with pytest.raises(DatabaseAwayError):
        run(*batches(2))


@pytest.fixture
def logged(caplog):
    """The one line that the function logged after the ids of its messages."""

    def line():
        _, record = caplog.records
        return vars(record)

    return line


def test_a_refused_batch_is_logged_with_origin_and_number(fake, logged):
    fake.refused = {"origin-0"}

    run(*batches(1))

    line = logged()
    assert (line["levelname"], line["msg"]) == ("ERROR", "batch was refused")
    assert (line["id"], line["origin"], line["number"]) == ("m0", "origin-0", 0)
    assert line["error"] == "integer out of range (22003)"


def test_each_load_logs_its_numbers_of_batches_and_plays(fake, logged):
    run(a_batch(a_play(0), a_play(3_600)), a_batch(a_play(), number=1))

    line = logged()
    assert (line["msg"], line["batches"], line["plays"]) == ("loaded", 2, 3)


def test_loader_settings_match_the_variables_that_the_stack_sets():
    assert list(DatabaseSettings.model_fields) == [
        "database_login_parameter",
        "database_host_parameter",
        "database_ca_parameter",
    ]
    assert set(LoaderSettings.model_fields) - set(DatabaseSettings.model_fields) == {
        "match_window_s"
    }


def test_missing_environment_variables_are_named_in_the_error():
    loader.wire.cache_clear()

    with pytest.raises(SettingsError, match="DATABASE_LOGIN_PARAMETER"):
        run(GOOD)


def test_the_loader_ignores_unknown_fields_of_a_message(fake):
    run(json.dumps(PLAIN | {"a_field_of_the_next_release": 1}))

    assert fake.kept == [EnrichedBatch.model_validate(PLAIN)]
