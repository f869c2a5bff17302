from datetime import UTC, datetime

import pytest

from services.collector.state import ListenerState, ListenerStates, LoginRefusal
from services.collector.window import Key, Window
from shared.aws import client
from shared.errors import SettingsError

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def states(aws):
    return ListenerStates(client("dynamodb"), "listener-state")


def test_of_a_new_listener_nothing_is_known(states):
    assert states.load("me") == ListenerState()


def test_a_state_is_read_as_it_was_saved(states):
    state = ListenerState(
        window=Window(known=(Key(NOW, "spotify:track:Boats"),), covered_until=NOW),
        polled_at=NOW,
        blocked_until=NOW,
        needs_login=LoginRefusal(fingerprint="f", since=NOW, tried_at=NOW),
        consecutive_failures=3,
    )

    states.save("me", state)

    assert states.load("me") == state
    assert states.load("you") == ListenerState()


@pytest.mark.parametrize(
    "item",
    [{}, {"state": {"N": "1"}}, {"state": {"S": "{"}}, {"state": {"S": '{"polled_at": 1.5e99}'}}],
    ids=["empty", "number", "no json", "no instant"],
)
def test_a_state_that_cannot_be_read_does_not_pass_for_a_new_listener(states, item):
    client("dynamodb").put_item(TableName="listener-state", Item={"listener": {"S": "me"}, **item})

    with pytest.raises(SettingsError, match="listener me"):
        states.load("me")


def test_a_state_of_a_later_release_can_be_read(states):
    later = '{"consecutive_failures": 2, "mood": "sunny"}'
    client("dynamodb").put_item(
        TableName="listener-state", Item={"listener": {"S": "me"}, "state": {"S": later}}
    )

    assert states.load("me") == ListenerState(consecutive_failures=2)
