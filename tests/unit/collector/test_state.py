import json
from datetime import UTC, datetime, timedelta

import pytest

from services.collector.domain.window import Key, Window
from services.collector.state import LastError, ListenerState, ListenerStates, LoginRefusal
from shared.aws import client
from shared.errors import SettingsError
from shared.models import Gap

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def states(cloud):
    return ListenerStates(client("dynamodb"), "listener-state")


def put(item):
    client("dynamodb").put_item(TableName="listener-state", Item={"listener": {"S": "me"}, **item})


def test_the_state_of_a_new_listener_is_empty(states):
    assert states.load("me") == ListenerState()


def test_a_listener_state_is_read_as_it_was_saved(states):
    state = ListenerState(
        window=Window(known=(Key(NOW, "spotify:track:Boats"),), covered_until=NOW),
        polled_at=NOW,
        needs_login=LoginRefusal(fingerprint="f", since=NOW, tried_at=NOW),
        last_error=LastError(kind="failed", message="no answer", at=NOW),
        outage=Gap(started_at=NOW, reason="no answer"),
    )

    states.save("me", state)

    assert states.load("me") == state
    assert states.load("you") == ListenerState()


def test_deleting_one_listener_state_leaves_the_others_unchanged(states):
    state = ListenerState(polled_at=NOW)
    for listener in ("me", "you"):
        states.save(listener, state)

    states.delete("me")

    assert states.load("me") == ListenerState()
    assert states.load("you") == state


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"state": {"N": "1"}},
        {"state": {"NULL": True}},
        {"state": {"S": "{"}},
        {"state": {"S": '{"polled_at": 1.5e99}'}},
        {"state": {"S": '{"polled_at": NaN}'}},
    ],
    ids=str,
)
def test_an_unreadable_listener_state_is_an_error(states, item):
    put(item)

    with pytest.raises(SettingsError, match="listener me"):
        states.load("me")


SOON, FAR = "2026-11-23T08:00:00Z", "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    "state",
    [
        {"polled_at": FAR},
        {"window": {"known": [[FAR, "spotify:track:Boats"]]}},
        {"window": {"covered_until": FAR}},
        {"window": {"watched_since": FAR}},
        {"window": {"short": {"since": FAR}}},
        {"window": {"doubtful": [{"started_at": FAR, "reason": ""}]}},
        {"needs_login": {"fingerprint": "f", "since": FAR, "tried_at": SOON}},
        {"needs_login": {"fingerprint": "f", "since": SOON, "tried_at": FAR}},
        {"last_error": {"kind": "failed", "message": "", "at": FAR}},
        {"outage": {"started_at": FAR, "reason": ""}},
        {"outage": {"started_at": SOON, "ended_at": FAR, "reason": ""}},
    ],
    ids=str,
)
def test_a_listener_state_with_a_time_out_of_range_is_an_error(states, state):
    text = json.dumps(state)
    put({"state": {"S": text.replace(FAR, SOON)}})
    states.load("me")

    put({"state": {"S": text}})
    with pytest.raises(SettingsError, match="listener me"):
        states.load("me")


@pytest.mark.parametrize(
    "other",
    [
        '{"polled_at": "2026-11-23T08:00:00Z", "mood": "sunny"}',
        '{"polled_at": "2026-11-23T08:00:00Z", "blocked_until": null, "consecutive_failures": 2}',
    ],
    ids=["later", "earlier"],
)
def test_a_listener_state_of_another_release_can_be_read(states, other):
    put({"state": {"S": other}})

    assert states.load("me") == ListenerState(polled_at=NOW)


AHEAD = NOW + timedelta(days=9_999)


def test_a_stored_refusal_dated_in_the_future_is_ignored():
    refusal = LoginRefusal(fingerprint="f", since=NOW, tried_at=AHEAD)

    assert not ListenerState(needs_login=refusal).awaits_login("f", NOW)
    assert not ListenerState(
        last_error=LastError(kind="forbidden", message="no", at=AHEAD)
    ).awaits_permission(NOW, NOW)
