"""What DynamoDB and Secrets Manager hold: each item is read, or refused by name."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from services.collector.credentials import CredentialStore
from services.collector.domain.window import Window, compare
from services.collector.state import ListenerState, ListenerStates
from services.enricher.cache.items import entry_of, item_of
from shared.errors import SettingsError
from shared.models import Gap, TrackFeatures
from shared.spotify.rate_limits import LONGEST_BLOCK, SpotifyApps
from shared.spotify.wire import read_recently_played
from tests.fuzz.harness import NoValueError, Target, plain
from tests.fuzz.tape import Tape, changed_json

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANSWER = read_recently_played(b'{"items": [{"played_at": "2026-11-23T08:21:01Z", "track": '
                              b'{"uri": "spotify:track:1AAAAAAAAAAAAAAAAAAAAA"}}]}')  # fmt: skip
STATE = json.loads(
    ListenerState.model_validate(
        {"window": compare(Window(), ANSWER, NOW).window, "polled_at": NOW,
         "needs_login": {"fingerprint": "f", "since": NOW, "tried_at": NOW},
         "last_error": {"kind": "forbidden", "message": "no", "at": NOW},
         "outage": Gap(started_at=NOW, reason="Spotify fails")}
    ).model_dump_json()
)  # fmt: skip
TRACK = "spotify:track:1AAAAAAAAAAAAAAAAAAAAA"
FEATURES = TrackFeatures(track_uri=TRACK, source="reccobeats", fetched_at=NOW, energy=0.5)
"""The items of the three tables as plain values."""
ITEM = {
    "track_uri": TRACK,
    "features": FEATURES.model_dump_json(),
    "retry_at": 1_795_000_000,
    "misses": 2,
}
LIMITS = {"app": "f", "blocked_until": "2026-11-23T13:00:00Z", "refusals": 3, "spent": 2,
          "spent_on": "2026-11-23", "features_forbidden_at": "2026-11-23T11:00:00Z"}  # fmt: skip
LOGIN = {
    "client_id": "app",
    "client_secret": "",
    "refresh_token": "AQ-1",
    "authorized_at": "2026-11-20T00:00:00Z",
}


class Table:
    """A DynamoDB with one item in one table."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=LookupError)

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": self._item}

    def update_item(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": self._item}


class Secrets:
    """A Secrets Manager with one secret."""

    exceptions = SimpleNamespace(ResourceNotFoundException=LookupError)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": self._text}


def stored(content: bytes) -> dict[str, Any]:
    """Return an item as DynamoDB returns it: each value with its type."""
    try:
        value = json.loads(content, parse_float=Decimal, parse_constant=str)
        item = dict(TypeSerializer().serialize(value)["M"])
    except (ValueError, RecursionError, KeyError, TypeError, ArithmeticError) as error:
        raise NoValueError("DynamoDB cannot hold it") from error
    return item


def make_state(tape: Tape) -> bytes:
    return changed_json(tape, STATE) if tape.below(8) else b'{"state": 1}'


def read_state(content: bytes) -> None:
    item = {"listener": {"S": "me"}, "state": {"S": content.decode(errors="replace")}}
    state = ListenerStates(Table(item), "listener-state").load("me")
    state.awaits_login("f", NOW)
    state.awaits_permission(NOW, NOW)
    state.find_outage(NOW, "Spotify fails")
    found = compare(state.window, ANSWER, NOW, state.outage)
    found.report.model_dump_json()
    after = ListenerState(window=found.window, polled_at=NOW, outage=found.outage)
    assert ListenerState.model_validate_json(after.model_dump_json()) == after


def make_item(tape: Tape) -> bytes:
    features = changed_json(tape, json.loads(ITEM["features"]), 2).decode(errors="replace")  # type: ignore[arg-type]  # it is a text
    return changed_json(tape, ITEM | {"features": features}, 2)


def read_item(content: bytes) -> None:
    item = stored(content)
    # The key of the table: DynamoDB holds no item without it.
    item["track_uri"] = {"S": TRACK}
    entry = entry_of(item)
    if entry is None:
        raise NoValueError
    entry.is_due(NOW)
    entry.failed(FEATURES, NOW, NOW + timedelta(minutes=15))
    entry.missed(None, NOW)
    assert entry_of(item_of(TRACK, entry)) == entry


def make_limits(tape: Tape) -> bytes:
    return changed_json(tape, LIMITS)


def read_limits(content: bytes) -> None:
    apps = SpotifyApps(Table(stored(content)), "spotify-app")
    state = apps.load("app")
    state.forbids_features(NOW)
    state.is_blocked_for_others(NOW)
    apps.answered("app", state)
    apps.spend("app", 1, NOW, 200)
    if state.is_blocked(NOW):
        assert state.blocked_until
        assert state.blocked_until - NOW <= LONGEST_BLOCK


def make_login(tape: Tape) -> bytes:
    return changed_json(tape, LOGIN)


def read_login(content: bytes) -> None:
    login = CredentialStore(Secrets(content.decode(errors="replace")), "login/").load("me")
    if login is None:
        raise NoValueError
    assert login.days_left(NOW) >= 0
    assert LOGIN["refresh_token"] not in repr(login)
    again = CredentialStore(Secrets(login.model_dump_json()), "login/").load("me")
    assert again
    assert again.fingerprint == login.fingerprint


REASONS = (SettingsError, NoValueError)
TARGETS = (
    Target("stored-state", make_state, plain(read_state), REASONS),
    Target("stored-track", make_item, plain(read_item), REASONS),
    Target("stored-limits", make_limits, plain(read_limits), REASONS),
    Target("stored-login", make_login, plain(read_login), REASONS),
)
