from datetime import timedelta

import pytest

from infra.local import catalogue
from infra.local.simulators.account import GRANT_LIFETIME, REFRESH_TOKEN
from infra.local.simulators.scenarios_spotify import ACCOUNTS

PATH = "/v1/me/player/recently-played"
PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription status "
    "changes, it can take a few hours before requests are allowed again."
)


def of(number):
    return catalogue.track(number).track_id


def a_push(number, second):
    return {"track_number": number, "played_at": f"2026-11-23T08:00:{second:02}.250Z"}


def six_pushes():
    return [a_push(number, 10 * number) for number in range(6)]


def ends(answer):
    """Seconds and milliseconds at which the shown plays ended."""
    return [float(play["played_at"][17:-1]) for play in answer.json["items"]]


def shown(answer, name):
    return [play["track"] and play["track"][name] for play in answer.json["items"]]


def error(status, message=None, **more):
    told = {"status": status} | ({"message": message} if message else {}) | more
    return {"error": told}


# Refusals


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "refresh-token-revoked",
            {"error": "invalid_grant", "error_description": "Refresh token revoked"},
        ),
        (
            "refresh-token-expired",
            {"error": "invalid_grant", "error_description": "Refresh token expired"},
        ),
        ("invalid-client", {"error": "invalid_client", "error_description": "Invalid client"}),
    ],
)
def test_a_refused_token_request_has_status_400_and_says_why(silent, name, body):
    silent.scenario(name)

    answer = silent.token()

    assert (answer.status_code, answer.json) == (400, body)


def test_an_accounts_service_that_is_down_leaves_the_grant_as_it_is(silent):
    silent.scenario("accounts-down", times=1)

    assert [silent.token().status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("name", "status", "retry_after", "body"),
    [
        ("access-token-refused", 401, None, error(401, "The access token expired")),
        ("forbidden", 403, None, error(403)),
        ("rate-limited", 429, "5", error(429, "API rate limit exceeded")),
        ("rate-limited-without-header", 429, None, error(429, "Too many requests")),
        (
            "quota-exceeded",
            429,
            "52531",
            error(429, "Too many requests", reason="QUOTA_EXCEEDED"),
        ),
        ("unavailable", 503, None, error(503, "Service unavailable")),
    ],
)
def test_a_refusal_in_json(listening, name, status, retry_after, body):
    listening.scenario(name)

    answer = listening.recent()

    assert (answer.status_code, answer.json) == (status, body)
    assert answer.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("no-premium", 403, PREMIUM),
        ("not-registered", 403, "User not registered in the Developer Dashboard"),
        ("rate-limited-in-plain-text", 429, "Too many requests"),
        ("bad-gateway", 502, "Bad Gateway"),
    ],
)
def test_a_refusal_in_plain_text(listening, name, status, text):
    listening.scenario(name)

    answer = listening.recent()

    assert (answer.status_code, answer.text, answer.mimetype) == (status, text, "text/plain")
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("name", ["forbidden", "no-premium", "rate-limited", "bad-gateway"])
@pytest.mark.parametrize("path", [f"/v1/tracks/{of(1)}", "/v1/tracks?ids=1", PATH])
def test_a_refusal_of_the_api_concerns_all_of_it_and_no_token(listening, name, path):
    listening.scenario(name)

    assert listening.get(path).status_code in {403, 429, 502}
    assert listening.token().status_code == 200


def test_deleted_tracks_are_not_found_and_plays_of_them_stay(listening):
    listening.scenario("deleted-tracks")

    assert listening.get(f"/v1/tracks/{of(1)}").status_code == 404
    assert listening.recent().status_code == 200


def test_a_bad_access_token_is_refused_before_any_scenario(listening):
    listening.scenario("no-premium", times=1)

    anonymous = listening.http.get(PATH)

    assert anonymous.status_code == 401
    assert listening.recent().status_code == 403


# Tokens


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_scenario_of_the_accounts_service_ends_earlier_tokens(silent, name):
    kept = silent.login()
    before = silent.http.get(PATH, headers=kept).status_code

    silent.scenario(name)

    after = silent.http.get(PATH, headers=kept)
    assert (before, after.status_code) == (200, 401)
    assert after.json == error(401, "Invalid access token")


@pytest.mark.parametrize("name", ["old-app", "normal"])
def test_any_other_scenario_leaves_the_access_tokens_alone(silent, name):
    kept = silent.login()

    silent.scenario(name)

    assert silent.http.get(PATH, headers=kept).status_code == 200


def test_a_rotated_refresh_token_replaces_the_old_one_for_good(silent):
    silent.scenario("rotated-refresh-token")

    second = silent.token().json["refresh_token"]
    old = silent.token()
    third = silent.token(refresh_token=second).json["refresh_token"]

    assert (old.status_code, old.json["error_description"]) == (400, "Refresh token revoked")
    assert len({REFRESH_TOKEN, second, third}) == 3
    assert silent.token(refresh_token=third).status_code == 200


def test_a_token_rotated_once_is_good_afterwards(silent):
    silent.scenario("rotated-refresh-token", times=1)
    rotated = silent.token().json["refresh_token"]

    answer = silent.token(refresh_token=rotated)

    assert answer.status_code == 200
    assert "refresh_token" not in answer.json


def test_a_rotated_token_is_known_after_a_restart(silent, listening):
    silent.scenario("rotated-refresh-token")
    rotated = silent.token().json["refresh_token"]

    assert listening.token(refresh_token=rotated).status_code == 200
    assert listening.token(refresh_token=f"{rotated}0").status_code == 400


def test_a_short_lived_token_is_refused_when_its_time_is_over(silent, clock):
    silent.scenario("short-lived-token", expires_in_s=5)
    told = silent.token().json["expires_in"]
    login = silent.login()

    clock.pass_s(4)
    alive = silent.http.get(PATH, headers=login).status_code
    clock.pass_s(1)
    dead = silent.http.get(PATH, headers=login).status_code

    assert (told, alive, dead) == (5, 200, 401)


def test_a_grant_lives_for_six_months_however_often_it_is_used(silent):
    move = silent.http.post("/_control/clock", json={"ahead_s": GRANT_LIFETIME.total_seconds() - 1})
    alive = silent.token()
    silent.http.post("/_control/clock", json={"ahead_s": GRANT_LIFETIME.total_seconds()})
    dead = silent.token()

    assert (move.status_code, alive.status_code, dead.status_code) == (200, 200, 400)
    assert dead.json == {
        "error": "invalid_grant",
        "error_description": "Refresh token expired",
    }


def test_a_rotated_token_lives_no_longer_than_the_one_it_replaced(silent, clock):
    clock.pass_s(100 * 86_400)
    silent.scenario("rotated-refresh-token")
    rotated = silent.token().json["refresh_token"]

    clock.pass_s(80 * 86_400)
    alive = silent.token(refresh_token=rotated).json.get("refresh_token")
    clock.pass_s(86_400)

    assert silent.token(refresh_token=alive).json["error_description"] == "Refresh token expired"


@pytest.mark.parametrize(("left_s", "status"), [(1, 200), (0, 400)])
def test_the_age_of_the_grant_can_be_set(silent, clock, left_s, status):
    authorized_at = clock.now - GRANT_LIFETIME + timedelta(seconds=left_s)

    silent.http.post("/_control/grant", json={"authorized_at": authorized_at.isoformat()})

    assert silent.token().status_code == status


@pytest.mark.parametrize("wish", [{}, {"authorized_at": "2026-01-01T00:00:00"}, []])
def test_a_grant_without_an_instant_is_refused(silent, wish):
    assert silent.http.post("/_control/grant", json=wish).status_code == 400


def test_an_app_gets_a_token_of_its_own_for_the_catalogue_alone(silent):
    answer = silent.token(grant_type="client_credentials")
    login = {"Authorization": f"Bearer {answer.json['access_token']}"}

    track = silent.http.get(f"/v1/tracks/{of(1)}", headers=login)
    plays = silent.http.get(PATH, headers=login)

    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert (track.status_code, plays.status_code) == (200, 401)


def test_an_app_without_a_secret_gets_no_token_of_its_own(silent):
    form = {"grant_type": "client_credentials", "client_id": "local-client"}

    answer = silent.http.post("/api/token", data=form)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


# The window


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
def test_a_scenario_changes_which_plays_are_shown(silent, name, options, expected):
    silent.push(*six_pushes())

    silent.scenario(name, **options)

    assert ends(silent.recent()) == expected


def test_an_empty_window_has_neither_next_nor_cursors(listening):
    listening.scenario("empty-window")

    answer = listening.recent(limit=50).json

    assert (answer["items"], answer["next"], answer["cursors"]) == ([], None, None)


def test_the_cursors_are_those_of_the_plays_that_are_left(silent):
    silent.push(*six_pushes())
    silent.scenario("shrunken-window", plays=1)

    cursors = silent.recent().json["cursors"]

    assert cursors["after"] == cursors["before"]


def test_a_late_play_appears_among_older_ones_when_its_delay_is_over(listening, clock):
    before = ends(listening.recent(limit=50))
    listening.scenario("late-plays", every=3, delay_s=600)

    held_back = ends(listening.recent(limit=50))
    clock.pass_s(600)
    later = ends(listening.recent(limit=50))

    missing = [end for end in before[:13] if end not in held_back]
    assert missing
    assert set(missing) < set(later)


def test_a_doubled_play_is_shown_twice_some_milliseconds_apart(silent):
    silent.push(*six_pushes())
    silent.scenario("doubled-plays", every=1, apart_ms=11)

    answer = silent.recent()

    assert ends(answer)[:4] == [50.261, 50.25, 40.261, 40.25]
    assert shown(answer, "id")[:4] == [of(5), of(5), of(4), of(4)]


def test_a_doubled_window_holds_fifty_plays_at_most(listening):
    listening.scenario("doubled-plays", every=1)

    assert len(listening.recent(limit=50).json["items"]) == 50


def test_some_plays_are_doubled_and_the_same_ones_each_time(listening):
    listening.scenario("doubled-plays")

    first, second = (ends(listening.recent(limit=50)) for _ in range(2))

    listening.scenario("normal")
    assert first == second
    assert first != ends(listening.recent(limit=50))


@pytest.mark.parametrize("name", ["moved-plays", "vanished-plays"])
def test_a_play_that_is_new_is_where_it_belongs(silent, clock, name):
    silent.scenario(name, every=1)
    clock.pass_s(60)

    silent.push({"track_number": 1, "played_at": "2026-11-23T08:30:59.250Z"})

    assert ends(silent.recent()) == [59.25]


def test_vanished_plays_come_back(silent):
    silent.push(*six_pushes())
    silent.scenario("vanished-plays", every=1, times=1)

    windows = [len(silent.recent().json["items"]) for _ in range(2)]

    assert windows == [0, 6]


def test_some_plays_vanish_from_the_midst_of_the_window(listening):
    before = ends(listening.recent(limit=50))
    listening.scenario("vanished-plays")

    after = ends(listening.recent(limit=50))

    assert set(after) < set(before)
    assert before.index(after[-1]) > len(after)


def test_no_play_has_a_context(listening):
    listening.scenario("no-context")

    assert {play["context"] for play in listening.recent(limit=50).json["items"]} == {None}


def test_a_play_may_have_no_track(silent):
    silent.push(a_push(1, 10))
    silent.scenario("null-track", every=1)

    assert silent.recent().json["items"] == [
        {"track": None, "played_at": "2026-11-23T08:00:10.250Z", "context": None}
    ]


def test_a_track_may_have_a_uri_and_no_id(silent):
    silent.push(a_push(1, 10))
    silent.scenario("null-id", every=1)

    answer = silent.recent()

    assert (shown(answer, "id"), shown(answer, "uri")) == ([None], [f"spotify:track:{of(1)}"])


def test_a_local_file_has_nothing_of_spotify_but_a_uri_of_its_own(silent):
    silent.push(a_push(1, 10))
    silent.scenario("local-files", every=1)

    track = silent.recent().json["items"][0]["track"]

    assert (track["is_local"], track["id"], track["href"]) == (True, None, None)
    assert track["uri"].startswith("spotify:local:")
    assert (track["album"]["uri"], track["external_ids"]) == (None, {})


@pytest.mark.parametrize("name", ["null-track", "null-id", "local-files"])
def test_odd_tracks_stand_among_others(listening, name):
    usual = listening.recent(limit=50).json["items"]
    listening.scenario(name)

    odd = listening.recent(limit=50).json["items"]

    assert 0 < sum(one != other for one, other in zip(usual, odd, strict=True)) < 25


@pytest.mark.parametrize("name", ["null-id", "local-files", "old-app", "new-app"])
def test_a_pushed_play_without_a_track_stays_so(silent, name):
    pushed = {"track": None, "played_at": "2026-11-23T08:00:00.1Z", "context": None}
    silent.push(pushed)

    silent.scenario(name)

    assert silent.recent().json["items"] == [pushed]


# Kinds of app


@pytest.mark.parametrize(
    ("name", "fields"),
    [("new-app", 14), ("normal", 15), ("old-app", 17), ("legacy-app", 17)],
)
def test_the_fields_of_a_track_depend_on_the_age_of_the_app(silent, name, fields):
    silent.push(a_push(1, 10))
    silent.scenario(name)

    in_window = silent.recent().json["items"][0]["track"]
    alone = silent.get(f"/v1/tracks/{of(1)}").json

    assert in_window == alone
    assert len(alone) == fields
    assert ("popularity" in alone, "available_markets" in alone["album"]) == (
        (fields == 17,) * 2  # the album changed with the track
    )
    assert ("external_ids" in alone) is (name != "new-app")


def test_popularity_is_a_percentage(silent):
    silent.push(*(a_push(number, number) for number in range(50)))
    silent.scenario("old-app")

    told = shown(silent.recent(limit=50), "popularity")

    assert len(set(told)) > 20
    assert [one for one in told if not 0 <= one <= 100] == []


def test_what_a_pushed_track_says_itself_stays(silent):
    track = {"id": of(1), "popularity": 7}
    silent.push({"track": track, "played_at": "2026-11-23T08:00:00Z"})
    silent.scenario("old-app")

    assert shown(silent.recent(), "popularity") == [7]


def test_an_unknown_pushed_track_gets_no_popularity(silent):
    silent.push({"track": {"name": "x"}, "played_at": "2026-11-23T08:00:00Z"})
    silent.scenario("old-app")

    assert silent.recent().json["items"][0]["track"] == {"name": "x"}


def test_an_old_app_asks_for_fifty_tracks_at_once(silent):
    silent.scenario("old-app")
    ids = [of(1), "1AAAAAAAAAAAAAAAAAAAAA", *map(of, range(2, 50))]

    answer = silent.get(f"/v1/tracks?ids={','.join(ids)}").json["tracks"]

    assert [track and track["id"] for track in answer] == [of(1), None, *map(of, range(2, 50))]
    assert "popularity" in answer[0]


@pytest.mark.parametrize(
    ("path", "ids", "message"),
    [
        ("/v1/tracks", range(51), "Too many ids requested"),
        ("/v1/audio-features", range(101), "Too many ids requested"),
        ("/v1/tracks", [], "invalid id"),
        ("/v1/audio-features", [], "invalid id"),
    ],
)
def test_too_many_ids_or_none_are_refused(silent, path, ids, message):
    silent.scenario("legacy-app")

    answer = silent.get(f"{path}?ids={','.join(map(of, ids))}")

    assert (answer.status_code, answer.json) == (400, error(400, message))


def test_a_legacy_app_gets_features_in_the_order_of_its_ids(silent):
    silent.scenario("legacy-app")
    ids = [of(2), "1AAAAAAAAAAAAAAAAAAAAA", *map(of, range(98))]

    answer = silent.get(f"/v1/audio-features?ids={','.join(ids)}")

    rows = answer.json["audio_features"]
    assert answer.status_code == 200
    assert [row and row["id"] for row in rows] == [of(2), None, *map(of, range(98))]
    assert set(rows[0]) == {
        *("acousticness", "analysis_url", "danceability", "duration_ms", "energy", "id"),
        *("instrumentalness", "key", "liveness", "loudness", "mode", "speechiness", "tempo"),
        *("time_signature", "track_href", "type", "uri", "valence"),
    }
    assert {1, 3, 4, 5} == {row["time_signature"] for row in rows if row}


def test_a_legacy_app_gets_the_features_of_one_track(silent):
    silent.scenario("legacy-app")

    known = silent.get(f"/v1/audio-features/{of(7)}")
    unknown = silent.get("/v1/audio-features/1AAAAAAAAAAAAAAAAAAAAA")

    assert (known.status_code, known.json["id"]) == (200, of(7))
    assert unknown.status_code == 404


def test_an_old_app_gets_no_features(silent):
    silent.scenario("old-app")

    answers = [silent.get(f"/v1/audio-features{rest}") for rest in (f"/{of(7)}", f"?ids={of(7)}")]

    assert [answer.json for answer in answers] == [error(403)] * 2


# Blocks


def blocked_calls(app):
    return app.http.get("/_control/blocked_calls").json["blocked_calls"]


def test_a_block_ends_after_retry_after(listening, clock):
    listening.scenario("rate-limited", times=1, retry_after_s=7)
    refused = listening.recent().status_code

    clock.pass_s(7)

    assert (refused, listening.recent().status_code) == (429, 200)
    assert blocked_calls(listening) == 0


def test_a_call_within_a_block_is_counted_and_begins_it_anew(listening, clock):
    headers = listening.login()
    listening.scenario("quota-exceeded", times=1, retry_after_s=100)
    first = listening.http.get(f"/v1/tracks/{of(1)}", headers=headers)

    clock.pass_s(99)
    probe = listening.http.get(f"/v1/tracks/{of(2)}", headers=headers)
    clock.pass_s(99)
    still = listening.http.get(f"/v1/tracks/{of(1)}", headers=headers).status_code

    assert probe.json == first.json
    assert (probe.headers["Retry-After"], still) == ("100", 429)
    assert blocked_calls(listening) == 2


def test_a_call_for_a_token_within_a_block_is_counted_and_answered(listening, clock):
    listening.scenario("quota-exceeded", times=1, retry_after_s=100)
    listening.recent()

    clock.pass_s(99)
    within = listening.http.post("/api/token").status_code
    clock.pass_s(1)
    after = listening.http.post("/api/token").status_code

    assert (within, after) == (400, 400)
    assert blocked_calls(listening) == 1
    assert listening.recent().status_code == 200


def test_another_scenario_lifts_a_block(listening):
    listening.scenario("quota-exceeded")
    listening.recent()

    listening.scenario("normal")

    assert listening.recent().status_code == 200
    assert blocked_calls(listening) == 0


def test_a_refusal_without_retry_after_begins_no_block(listening):
    listening.scenario("rate-limited-without-header", times=1)

    assert [listening.recent().status_code for _ in range(2)] == [429, 200]
    assert blocked_calls(listening) == 0


def test_a_quota_counts_the_calls_of_a_rolling_day(listening, clock):
    listening.scenario("quota", calls=2)
    first = listening.recent().status_code
    clock.pass_s(3_600)
    second = listening.get(f"/v1/tracks/{of(1)}").status_code
    clock.pass_s(3_600)

    refused = listening.recent()
    clock.pass_s(79_200)
    freed = listening.recent().status_code
    again = listening.recent()

    assert (first, second, refused.status_code, freed) == (200, 200, 429, 200)
    assert refused.json == error(429, "Too many requests", reason="QUOTA_EXCEEDED")
    assert (refused.headers["Retry-After"], again.headers["Retry-After"]) == ("79200", "3600")


def test_a_quota_of_none_refuses_the_first_call(listening):
    listening.scenario("quota", calls=0)

    assert listening.recent().headers["Retry-After"] == "86400"


def test_token_calls_count_towards_no_quota(listening):
    listening.scenario("quota", calls=1)
    listening.token()

    assert listening.recent().status_code == 200
