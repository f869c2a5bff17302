"""What each scenario of the simulators changes."""

import json

import pytest

from infra.local.simulators.scenarios_spotify import ACCOUNTS
from tests.unit.local.conftest import RECENT, id_of

PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription status "
    "changes, it can take a few hours before requests are allowed again."
)
TOO_MANY = "Too many requests"
AGENT = {"User-Agent": "listening-history/1"}
FEATURES, METADATA = "/v1/audio-features", "/v1/track"


def ends(answer):
    """Seconds and milliseconds at which the shown plays ended."""
    return [float(play["played_at"][17:-1]) for play in answer.json["items"]]


def error(status, message=None, **more):
    fields = {"status": status} | ({"message": message} if message else {}) | more
    return json.dumps({"error": fields})


def oauth_error(error, description):
    return json.dumps({"error": error, "error_description": description})


# Refusals


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("refresh-token-revoked", 400, oauth_error("invalid_grant", "Refresh token revoked")),
        ("refresh-token-expired", 400, oauth_error("invalid_grant", "Refresh token expired")),
        ("invalid-client", 400, oauth_error("invalid_client", "Invalid client")),
        ("accounts-down", 503, "upstream connect error"),
    ],
)
def test_a_token_error_scenario_leaves_the_refresh_token_valid(silent, name, status, body):
    silent.scenario(name, times=1)

    refused, answer = silent.token(), silent.token()

    assert (refused.status_code, refused.text) == (status, body)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("access-token-refused", (401, None, error(401, "The access token expired"))),
        ("forbidden", (403, None, error(403))),
        ("no-premium", (403, None, PREMIUM)),
        ("not-registered", (403, None, "User not registered in the Developer Dashboard")),
        ("rate-limited", (429, "5", error(429, "API rate limit exceeded"))),
        ("rate-limited-without-header", (429, None, error(429, TOO_MANY))),
        ("rate-limited-in-plain-text", (429, None, TOO_MANY)),
        ("quota-exceeded", (429, "52531", error(429, TOO_MANY, reason="QUOTA_EXCEEDED"))),
        ("bad-gateway", (502, None, "Bad Gateway")),
        ("unavailable", (503, None, error(503, "Service unavailable"))),
    ],
)
@pytest.mark.parametrize("path", [RECENT, f"/v1/tracks/{id_of(1)}", "/v1/tracks"])
def test_a_web_api_error_scenario_does_not_affect_token_requests(silent, path, name, answered):
    silent.scenario(name)

    answer = silent.get(path)

    retry_after = answer.headers.get("Retry-After")
    assert (answer.status_code, retry_after, answer.text) == answered
    assert (answer.mimetype == "text/plain") is not answer.is_json
    assert silent.token().status_code == 200


def test_scenario_deleted_tracks_gives_404_for_tracks_but_not_for_recent_plays(silent):
    silent.scenario("deleted-tracks")

    assert silent.get(f"/v1/tracks/{id_of(1)}").status_code == 404
    assert silent.recent().status_code == 200


def test_a_missing_access_token_gets_401_before_any_scenario_applies(silent):
    silent.scenario("no-premium", times=1)

    assert silent.http.get(RECENT).status_code == 401
    assert silent.recent().status_code == 403


@pytest.mark.parametrize("path", [FEATURES, METADATA])
@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [
        ("reccobeats-rate-limited", 429, "5"),
        ("reccobeats-forbidden", 403, None),
        ("reccobeats-error", 500, None),
        ("reccobeats-down", 503, None),
    ],
)
def test_each_reccobeats_error_scenario_affects_both_endpoints(
    features, path, name, status, retry_after
):
    features.post("/_control/scenario", json={"name": name})

    answer = features.get(path, query_string={"ids": id_of(1)}, headers=AGENT)

    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == retry_after


# Tokens


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_scenario_of_the_accounts_service_revokes_earlier_access_tokens(silent, name):
    kept = silent.login()

    silent.scenario(name)

    answer = silent.http.get(RECENT, headers=kept)
    assert (answer.status_code, answer.text) == (401, error(401, "Invalid access token"))


@pytest.mark.parametrize("name", ["old-app", "normal"])
def test_a_scenario_not_of_the_accounts_service_keeps_access_tokens_valid(silent, name):
    kept = silent.login()

    silent.scenario(name)

    assert silent.http.get(RECENT, headers=kept).status_code == 200


def test_rotating_the_refresh_token_revokes_the_old_one(silent):
    silent.scenario("rotated-refresh-token", times=1)
    rotated = silent.token().json["refresh_token"]

    old, new = silent.token(), silent.token(refresh_token=rotated)

    assert (old.status_code, old.json["error_description"]) == (400, "Refresh token revoked")
    assert new.status_code == 200
    assert "refresh_token" not in new.json


def test_a_short_lived_token_expires_after_expires_in_seconds(silent, clock):
    silent.scenario("short-lived-token", expires_in_s=5)
    lives_s, login = silent.token().json["expires_in"], silent.login()

    clock.pass_s(4)
    valid = silent.http.get(RECENT, headers=login).status_code
    clock.pass_s(1)
    expired = silent.http.get(RECENT, headers=login)

    assert (lives_s, valid) == (5, 200)
    assert expired.text == error(401, "The access token expired")


# Recently played


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("empty-window", {}, []),
        ("shrunken-window", {}, [50.25, 40.25]),
        ("shrunken-window", {"plays": 3}, [50.25, 40.25, 30.25]),
        ("late-plays", {"every": 1, "delay_s": 1_755}, [40.25, 30.25, 20.25, 10.25, 0.25]),
        ("doubled-plays", {"every": 0}, [50.25, 40.25, 30.25, 20.25, 10.25, 0.25]),
        ("moved-plays", {}, [50.279, 40.279, 30.279, 20.279, 10.279, 0.279]),
        ("moved-plays", {"shift_ms": 968}, [51.218, 41.218, 31.218, 21.218, 11.218, 1.218]),
        ("vanished-plays", {"every": 1}, []),
    ],
)
def test_scenarios_can_omit_delay_or_move_recently_played_plays(silent, name, options, expected):
    silent.push(*range(6))

    silent.scenario(name, **options)

    assert ends(silent.recent()) == expected


def test_scenario_doubled_plays_lists_each_play_twice_11_ms_apart(silent):
    silent.push(4, 5)
    silent.scenario("doubled-plays", every=1, apart_ms=11)

    answer = silent.recent()

    assert ends(answer) == [10.261, 10.25, 0.261, 0.25]
    assert [play["track"]["id"] for play in answer.json["items"]] == [
        *(id_of(5), id_of(5), id_of(4), id_of(4)),
    ]


@pytest.mark.parametrize("name", ["moved-plays", "vanished-plays"])
def test_scenarios_moved_plays_and_vanished_plays_do_not_affect_new_plays(silent, clock, name):
    clock.pass_s(-3_600)
    silent.scenario(name, every=1)

    silent.push(1)

    assert ends(silent.recent()) == [0.25]


@pytest.mark.parametrize(
    "name", ["doubled-plays", "vanished-plays", "null-track", "null-id", "local-files"]
)
def test_a_scenario_alters_the_same_plays_on_each_call(listening, name):
    usual = listening.recent().json["items"]
    listening.scenario(name)

    first, second = (listening.recent().json["items"] for _ in range(2))

    assert first == second
    assert 20 < len([play for play in usual if play in first]) <= 50
    assert first != usual


def test_scenario_null_track_lists_a_play_whose_track_is_null(silent):
    silent.push(1)
    silent.scenario("null-track", every=1)

    assert silent.recent().json["items"] == [
        {"track": None, "played_at": "2026-11-23T08:00:00.250Z", "context": None}
    ]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("null-id", {"id": None, "uri": f"spotify:track:{id_of(1)}"}),
        ("local-files", {"id": None, "href": None, "is_local": True, "external_ids": {}}),
    ],
)
def test_scenarios_null_id_and_local_files_list_tracks_without_an_id(silent, name, fields):
    silent.push(1)
    silent.scenario(name, every=1)

    track = silent.recent().json["items"][0]["track"]

    assert track.items() >= fields.items()


def test_scenario_no_context_removes_the_context_of_every_play(listening):
    listening.scenario("no-context")

    assert {play["context"] for play in listening.recent().json["items"]} == {None}


# Kinds of app


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("new-app", {"external_ids"}),
        ("old-app", {"popularity", "available_markets"}),
        ("legacy-app", {"popularity", "available_markets"}),
    ],
)
def test_scenarios_new_old_and_legacy_app_return_different_track_fields(silent, name, changed):
    silent.push(1)
    usual = set(silent.get(f"/v1/tracks/{id_of(1)}").json)
    silent.scenario(name)

    track = silent.get(f"/v1/tracks/{id_of(1)}").json

    assert set(track) ^ usual == changed
    assert silent.recent().json["items"][0]["track"] == track


@pytest.mark.parametrize(
    ("path", "key", "most"),
    [("/v1/tracks", "tracks", 50), ("/v1/audio-features", "audio_features", 100)],
)
def test_a_legacy_app_gets_batches_of_tracks_in_request_order(silent, path, key, most):
    silent.scenario("legacy-app")
    ids = [id_of(2), "1AAAAAAAAAAAAAAAAAAAAA", *map(id_of, range(most - 2))]

    rows = silent.get(path, ids=",".join(ids)).json[key]

    assert [row and row["id"] for row in rows] == [id_of(2), None, *ids[2:]]


@pytest.mark.parametrize(
    ("path", "ids", "message"),
    [
        ("/v1/tracks", range(51), "Too many ids requested"),
        ("/v1/audio-features", range(101), "Too many ids requested"),
        ("/v1/tracks", [], "invalid id"),
    ],
)
def test_a_batch_of_too_many_ids_or_none_gets_400(silent, path, ids, message):
    silent.scenario("legacy-app")

    answer = silent.get(path, ids=",".join(map(id_of, ids)))

    assert (answer.status_code, answer.text) == (400, error(400, message))


def test_an_old_app_gets_batches_of_tracks_but_403_for_features(silent):
    silent.scenario("old-app")

    statuses = [silent.get(path, ids=id_of(7)).status_code for path in ("/v1/tracks", FEATURES)]

    assert statuses == [200, 403]


# ReccoBeats


def rows_of(features, path):
    ids = ",".join(map(id_of, range(40)))
    return features.get(path, query_string={"ids": ids}, headers=AGENT).json["content"]


@pytest.mark.parametrize("path", [FEATURES, METADATA])
@pytest.mark.parametrize(
    ("name", "least", "most"), [("reccobeats-empty", 0, 0), ("reccobeats-missing-rows", 8, 24)]
)
def test_reccobeats_scenarios_omit_the_same_rows_on_each_call(features, path, name, least, most):
    features.post("/_control/scenario", json={"name": name})

    first, second = rows_of(features, path), rows_of(features, path)

    assert first == second
    assert least <= len(first) <= most


@pytest.mark.parametrize(
    ("name", "path", "field", "value"),
    [
        ("reccobeats-no-key", FEATURES, "key", -1),
        ("reccobeats-popularity-unknown", METADATA, "popularity", None),
        ("reccobeats-popularity-zero", METADATA, "popularity", 0),
    ],
)
def test_a_reccobeats_scenario_sets_its_field_in_every_row(features, name, path, field, value):
    usual = {each: set(rows_of(features, each)[0]) for each in (FEATURES, METADATA)}
    features.post("/_control/scenario", json={"name": name})

    assert {row[field] for row in rows_of(features, path)} == {value}
    assert {each: set(rows_of(features, each)[0]) for each in usual} == usual


# Blocks


def test_a_call_during_a_rate_limit_is_counted_and_restarts_the_limit(silent, clock):
    headers = silent.login()
    silent.scenario("quota-exceeded", times=1, retry_after_s=100)
    first = silent.http.get(f"/v1/tracks/{id_of(1)}", headers=headers)

    clock.pass_s(99)
    again = silent.http.get(f"/v1/tracks/{id_of(2)}", headers=headers)
    clock.pass_s(99)
    still = silent.http.get(RECENT, headers=headers).status_code
    clock.pass_s(100)

    assert (again.text, again.headers["Retry-After"]) == (first.text, "100")
    assert (still, silent.recent().status_code) == (429, 200)
    assert silent.blocked_calls() == 2


def test_a_token_call_during_a_rate_limit_is_counted_but_succeeds(silent, clock):
    silent.scenario("quota-exceeded", times=1, retry_after_s=100)
    silent.recent()

    clock.pass_s(99)
    within = silent.token().status_code
    clock.pass_s(1)

    assert (within, silent.recent().status_code) == (200, 200)
    assert silent.blocked_calls() == 1


def test_switching_the_scenario_ends_a_rate_limit(silent):
    silent.scenario("quota-exceeded")
    silent.recent()

    silent.scenario("normal")

    assert silent.recent().status_code == 200
    assert silent.blocked_calls() == 0


def test_a_429_without_retry_after_starts_no_rate_limit(silent):
    silent.scenario("rate-limited-without-header", times=1)

    assert [silent.recent().status_code for _ in range(2)] == [429, 200]
    assert silent.blocked_calls() == 0


def test_a_quota_counts_the_calls_of_the_last_24_hours(silent, clock):
    silent.scenario("quota", calls=2)
    first = silent.recent().status_code
    clock.pass_s(3_600)
    second = silent.get(f"/v1/tracks/{id_of(1)}").status_code
    clock.pass_s(3_600)

    refused = silent.recent()
    clock.pass_s(79_200)
    freed = silent.recent().status_code
    again = silent.recent()

    assert (first, second, refused.status_code, freed) == (200, 200, 429, 200)
    assert refused.text == error(429, TOO_MANY, reason="QUOTA_EXCEEDED")
    assert (refused.headers["Retry-After"], again.headers["Retry-After"]) == ("79200", "3600")


def test_a_quota_of_zero_calls_refuses_the_first_call(silent):
    silent.scenario("quota", calls=0)

    assert silent.recent().headers["Retry-After"] == "86400"
