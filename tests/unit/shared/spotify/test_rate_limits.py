from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.errors import SettingsError
from shared.spotify.api import LONGEST_WAIT_S
from shared.spotify.rate_limits import AppState, SpotifyApps, fingerprint
from tests.fakes.aws import make_table

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TABLE = "spotify-app"


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


@pytest.fixture
def dynamodb(cloud):
    return make_table(TABLE, "app")


@pytest.fixture
def apps(dynamodb):
    return SpotifyApps(dynamodb, TABLE)


def test_a_new_app_has_no_rate_limit(apps):
    assert apps.load("app") == AppState()


def test_a_429_rate_limits_the_app_for_its_retry_after(apps):
    state = apps.throttle("app", 52_531, NOW)

    assert state == AppState(blocked_until=after(seconds=52_531), refusals=1)
    assert apps.load("app") == state
    assert apps.load("another") == AppState()


@pytest.mark.parametrize(
    ("refusal", "minutes"), [(1, 1), (2, 2), (4, 8), (6, 32), (7, 60), (8, 60), (99_999, 60)]
)
def test_a_429_without_retry_after_doubles_the_wait(apps, dynamodb, refusal, minutes):
    dynamodb.put_item(
        TableName=TABLE,
        Item={"app": {"S": fingerprint("app")}, "refusals": {"N": str(refusal - 1)}},
    )

    state = apps.throttle("app", None, NOW)

    assert state == AppState(blocked_until=after(minutes=minutes), refusals=refusal)


@pytest.mark.parametrize(
    ("first_s", "then_s", "blocked_s"),
    [(3_600, 5, 3_600), (5, 3_600, 3_600), (9, 10, 10), (10, 9, 10), (3_600, None, 3_600)],
)
def test_a_later_429_never_shortens_a_rate_limit(apps, first_s, then_s, blocked_s):
    apps.throttle("app", first_s, NOW)

    state = apps.throttle("app", then_s, NOW)

    assert state == AppState(blocked_until=after(seconds=blocked_s), refusals=2)


def test_the_end_of_a_rate_limit_is_rounded_up_to_a_whole_second(apps):
    state = apps.throttle("app", 5, after(microseconds=1))

    assert state.blocked_until == after(seconds=6)


def test_a_successful_call_removes_the_rate_limit(apps):
    apps.throttle("app", 5, NOW)

    apps.answered("app", apps.load("app"))

    assert apps.load("app") == AppState()
    assert apps.throttle("app", None, NOW).blocked_until == after(minutes=1)


@pytest.mark.parametrize(
    "look",
    [
        lambda apps: apps.load("app"),
        lambda apps: apps.throttle("app", 5, after(hours=-1)),
        lambda apps: apps.throttle("app", None, after(hours=-1)),
    ],
    ids=["nothing known", "passed block", "passed block of our own"],
)
def test_a_successful_call_does_not_remove_a_rate_limit_set_during_the_call(apps, look):
    seen = look(apps)
    refused = apps.throttle("app", 52_531, NOW)

    apps.answered("app", seen)

    assert apps.load("app") == refused


def test_setting_or_clearing_a_rate_limit_keeps_the_time_of_a_403_for_features(apps):
    apps.forbid_features("app", NOW)

    apps.throttle("app", 5, NOW)
    throttled = apps.load("app")
    apps.answered("app", apps.load("app"))

    assert throttled.features_forbidden_at == NOW
    assert apps.load("app") == AppState(features_forbidden_at=NOW)


def test_recording_a_403_for_features_keeps_the_rate_limit(apps):
    state = apps.throttle("app", 5, NOW)

    apps.forbid_features("app", NOW)

    assert apps.load("app") == state.model_copy(update={"features_forbidden_at": NOW})


@pytest.mark.parametrize(
    ("minutes", "blocked", "blocked_for_others"),
    [(9.99, True, True), (10, False, True), (69.99, False, True), (70, False, False)],
)
def test_polls_may_call_once_a_rate_limit_ends_and_other_calls_an_hour_later(
    minutes, blocked, blocked_for_others
):
    state = AppState(blocked_until=after(minutes=10))

    now = after(minutes=minutes)

    assert (state.is_blocked(now), state.is_blocked_for_others(now)) == (
        blocked,
        blocked_for_others,
    )


def test_an_app_without_a_rate_limit_can_be_called():
    state = AppState()

    assert (state.is_blocked(NOW), state.is_blocked_for_others(NOW)) == (False, False)


def test_the_rate_limit_table_contains_no_client_id(apps, dynamodb):
    apps.throttle("client-id", 5, NOW)

    assert "client-id" not in str(dynamodb.scan(TableName=TABLE)["Items"])


def test_updating_a_rate_limit_keeps_attributes_written_by_a_later_release(apps, dynamodb):
    mood = {"app": {"S": fingerprint("app")}, "mood": {"S": "sunny"}}
    dynamodb.put_item(TableName=TABLE, Item=mood)

    apps.throttle("app", 5, NOW)
    apps.answered("app", apps.load("app"))

    assert apps.load("app") == AppState()
    assert dynamodb.scan(TableName=TABLE)["Items"] == [mood]


def test_unexpected_dynamodb_errors_are_raised(apps, dynamodb):
    apps.throttle("app", 5, NOW)

    def garble(params: dict[str, Any], **_: object) -> None:
        params["body"] = params["body"].replace(b"SET blocked_until", b"SAT blocked_until")

    dynamodb.meta.events.register("before-call.dynamodb.UpdateItem", garble)

    with pytest.raises(ClientError, match="ValidationException"):
        apps.throttle("app", 9, NOW)


def spend(apps, calls=1, budget=3, at=NOW, app="app"):
    return apps.spend(app, calls, at, budget)


MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


def test_calls_are_allowed_until_the_daily_budget_is_spent(apps):
    assert [spend(apps) for _ in range(5)] == [None, None, None, MIDNIGHT, MIDNIGHT]


def test_a_daily_budget_dated_in_the_far_future_is_ignored(apps, dynamodb):
    item = {"app": {"S": fingerprint("app")}, "spent_on": {"S": "9999-01-01"}, "spent": {"N": "9"}}
    dynamodb.put_item(TableName=TABLE, Item=item)

    assert spend(apps) is None


@pytest.mark.parametrize(
    "until", [after(days=9), after(days=30_000)], ids=["9 days", "30,000 days"]
)
def test_a_stored_rate_limit_of_more_than_seven_days_is_ignored(apps, dynamodb, until):
    item = {"app": {"S": fingerprint("app")}, "blocked_until": {"S": until.isoformat()}}
    dynamodb.put_item(TableName=TABLE, Item=item)

    state = apps.load("app")

    assert not state.is_blocked(NOW)
    assert not state.is_blocked_for_others(NOW)
    assert apps.throttle("app", 60, NOW).blocked_until == after(seconds=60)


def test_a_rate_limit_of_seven_days_is_kept_until_it_ends(apps):
    state = apps.throttle("app", LONGEST_WAIT_S, after(microseconds=1))

    assert state.is_blocked(NOW)
    assert state.is_blocked(after(seconds=LONGEST_WAIT_S))
    assert not state.is_blocked(after(seconds=LONGEST_WAIT_S + 1))


@pytest.mark.parametrize(
    ("at", "forbids"),
    [(NOW, True), (after(hours=-23), True), (after(hours=-24), False), (after(days=9_999), False)],
)
def test_a_403_for_features_is_retried_after_a_day(at, forbids):
    assert AppState(features_forbidden_at=at).forbids_features(NOW) is forbids


@pytest.mark.parametrize(
    "attribute",
    [
        {"blocked_until": {"S": "soon"}},
        {"blocked_until": {"S": "9999-12-31T23:59:59Z"}},
        {"blocked_until": {"S": "0001-01-01T00:00:00Z"}},
        {"blocked_until": {"N": "1E+100"}},
        {"blocked_until": {"NULL": True}},
        {"blocked_until": {"L": [{"S": "2026"}]}},
        {"features_forbidden_at": {"M": {}}},
        {"features_forbidden_at": {"S": "9999-12-31T23:59:59Z"}},
        {"refusals": {"N": "-1"}},
        {"refusals": {"N": "1.5"}},
        {"refusals": {"S": "Infinity"}},
    ],
    ids=str,
)
def test_the_error_of_an_unreadable_rate_limit_item_says_to_delete_it(apps, dynamodb, attribute):
    dynamodb.put_item(TableName=TABLE, Item={"app": {"S": fingerprint("app")}, **attribute})

    with pytest.raises(SettingsError, match="cannot be read: delete it"):
        apps.load("app")


def test_the_daily_budget_is_renewed_at_midnight_utc(apps):
    in_tokyo = timezone(timedelta(hours=9))
    spend(apps, calls=3)

    assert spend(apps, at=MIDNIGHT - timedelta(seconds=1)) == MIDNIGHT
    assert [spend(apps, at=MIDNIGHT.astimezone(in_tokyo)) for _ in range(4)] == [
        *[None] * 3,
        MIDNIGHT + timedelta(days=1),
    ]


def test_a_clock_set_back_by_a_day_does_not_renew_the_daily_budget(apps):
    spend(apps, at=MIDNIGHT)

    assert spend(apps) == MIDNIGHT
    assert spend(apps, calls=3, at=MIDNIGHT) == MIDNIGHT + timedelta(days=1)


def test_calls_refused_by_the_daily_budget_do_not_count_against_it(apps):
    assert spend(apps, calls=4) == MIDNIGHT
    assert spend(apps, calls=3) is None


def test_each_app_has_its_own_daily_budget(apps):
    spend(apps, calls=3)

    assert spend(apps, app="another") is None


def test_counting_daily_calls_does_not_change_the_rate_limit(apps):
    state = apps.throttle("app", 60, NOW)

    spend(apps)

    assert apps.load("app") == state


def test_failing_to_save_the_daily_budget_is_an_error(apps, dynamodb):
    dynamodb.delete_table(TableName=TABLE)

    with pytest.raises(ClientError):
        spend(apps)
