from datetime import UTC, datetime, timedelta

import pytest

from infra.local import catalogue
from infra.local.simulators import wire
from infra.local.simulators.account import CLIENT_ID, REFRESH_TOKEN

PATH = "/v1/me/player/recently-played"
TRACK_FIELDS = {
    *("album", "artists", "disc_number", "duration_ms", "explicit", "external_ids"),
    *("external_urls", "href", "id", "is_local", "name", "preview_url", "track_number"),
    *("type", "uri"),
}


def a_push(number, second):
    return {"track_number": number, "played_at": f"2026-11-23T08:00:{second:02}.250Z"}


def names(answer):
    return [play["track"]["name"] for play in answer.json["items"]]


def of(*numbers):
    return [catalogue.track(number).name for number in numbers]


def ms(second):
    return int(datetime(2026, 11, 23, 8, 0, second, 250_000, tzinfo=UTC).timestamp() * 1_000)


# The accounts service


def test_a_refresh_gives_a_bearer_token_for_an_hour_and_no_new_refresh_token(silent):
    answer = silent.token()

    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3_600)


def test_each_refresh_gives_another_token(silent):
    assert silent.token().json["access_token"] != silent.token().json["access_token"]


def test_an_app_without_a_secret_names_itself_in_the_form(silent):
    form = {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH_TOKEN,
        "client_id": CLIENT_ID,
    }

    assert silent.http.post("/api/token", data=form).status_code == 200


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({"refresh_token": "unknown"}, "invalid_grant", id="unknown grant"),
        pytest.param({"refresh_token": "ünknown"}, "invalid_grant", id="no ASCII"),
        pytest.param({"secret": "wrong"}, "invalid_client", id="wrong secret"),
        pytest.param({"client_id": "unknown"}, "invalid_client", id="unknown client"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="other grant type"),
    ],
)
def test_a_refused_refresh_has_a_flat_body(silent, asked, error):
    answer = silent.token(**asked)

    assert answer.status_code == 400
    assert answer.json["error"] == error
    assert set(answer.json) == {"error", "error_description"}


def test_an_app_that_does_not_name_itself_is_refused(silent):
    form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}

    answer = silent.http.post("/api/token", data=form)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


# Access


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        pytest.param({}, "No token provided", id="none"),
        pytest.param({"Authorization": "Bearer guessed"}, "Invalid access token", id="unknown"),
        pytest.param({"Authorization": "Basic YTpi"}, "No token provided", id="basic"),
    ],
)
def test_no_call_without_a_good_token(silent, headers, message):
    answer = silent.http.get(PATH, headers=headers)

    assert answer.status_code == 401
    assert answer.json == {"error": {"status": 401, "message": message}}


def test_a_token_counts_as_a_bearer_token_only(silent):
    token = silent.token().json["access_token"]

    assert silent.http.get(PATH, headers={"Authorization": f"Token {token}"}).status_code == 401


def test_a_token_lives_for_an_hour(silent, clock):
    login = silent.login()

    clock.pass_s(3_599)
    alive = silent.http.get(PATH, headers=login)
    clock.pass_s(1)
    dead = silent.http.get(PATH, headers=login)

    assert (alive.status_code, dead.status_code) == (200, 401)
    assert dead.json["error"]["message"] == "The access token expired"


# Recently played


def test_someone_who_listens_has_fifty_plays_newest_first(listening):
    answer = listening.recent(limit=50).json

    ends = [play["played_at"] for play in answer["items"]]

    assert len(ends) == 50
    assert ends == sorted(ends, reverse=True)


def test_a_minute_brings_a_new_play_and_drops_the_oldest(listening, clock):
    before = listening.recent(limit=50).json["items"]

    clock.pass_s(60)
    after = listening.recent(limit=50).json["items"]

    new = [play for play in after if play not in before]
    assert 1 <= len(new) <= 2
    assert after == [*new, *before][:50]


def test_a_play_has_the_shape_that_development_mode_shows(listening):
    play = listening.recent().json["items"][0]

    assert set(play) == {"track", "played_at", "context"}
    assert set(play["track"]) == TRACK_FIELDS
    assert play["track"]["uri"] == f"spotify:track:{play['track']['id']}"
    assert play["track"]["external_ids"]["isrc"].startswith("QZ")
    assert datetime.fromisoformat(play["played_at"]).tzinfo is not None


def test_the_context_is_a_uri_or_null(listening):
    contexts = [play["context"] for play in listening.recent(limit=50).json["items"]]

    told = [context for context in contexts if context]

    assert None in contexts
    assert set(told[0]) == {"type", "href", "external_urls", "uri"}


def test_a_release_date_has_its_precision():
    tracks = [wire.track_object(catalogue.track(number)) for number in range(40)]

    told = {(len(t["album"]["release_date"]), t["album"]["release_date_precision"]) for t in tracks}

    assert told == {(4, "year"), (7, "month"), (10, "day")}


def test_an_account_without_plays_answers_with_nulls(silent):
    answer = silent.recent(limit=50).json

    assert (answer["items"], answer["next"], answer["cursors"]) == ([], None, None)
    assert answer["limit"] == 50


def test_a_page_has_twenty_plays_unless_asked_otherwise(listening):
    assert len(listening.recent().json["items"]) == 20
    assert len(listening.recent(limit=1).json["items"]) == 1


def test_cursors_are_the_newest_and_oldest_end_in_milliseconds_as_text(silent):
    silent.push(a_push(1, 10), a_push(2, 20), a_push(3, 30))

    answer = silent.recent().json

    assert answer["cursors"] == {"after": str(ms(30)), "before": str(ms(10))}


def test_before_is_exclusive(silent):
    silent.push(a_push(1, 10), a_push(2, 20), a_push(3, 30))

    assert names(silent.recent(before=ms(20))) == of(1)
    assert names(silent.recent(before=ms(20) + 1)) == of(2, 1)


def test_after_is_exclusive_and_gives_the_newest(silent):
    silent.push(a_push(1, 10), a_push(2, 20), a_push(3, 30))

    assert names(silent.recent(after=ms(20))) == of(3)
    assert names(silent.recent(after=ms(20) - 1)) == of(3, 2)
    assert names(silent.recent(after=0, limit=1)) == of(3)


def test_next_leads_through_the_fifty_plays_and_no_further(listening):
    login = listening.login()

    first = listening.http.get(f"{PATH}?limit=30", headers=login).json
    second = listening.http.get(first["next"], headers=login).json
    third = listening.http.get(second["next"], headers=login).json

    assert (len(first["items"]), len(second["items"]), third["items"]) == (30, 20, [])
    assert third["next"] is None
    assert [*first["items"], *second["items"]] == listening.recent(limit=50).json["items"]


def test_plays_beyond_the_newest_fifty_are_gone(silent):
    silent.push(*(a_push(number, number) for number in range(60)))

    assert names(silent.recent(before=ms(11))) == of(10)


def test_next_after_a_cursor_leads_past_the_newest(silent):
    silent.push(a_push(1, 10), a_push(2, 20))

    answer = silent.recent(after=ms(10) - 1).json

    assert answer["next"].endswith(f"{PATH}?after={ms(20)}&limit=20")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"after": 1, "before": 2}, id="both cursors"),
        pytest.param({"limit": 0}, id="limit 0"),
        pytest.param({"limit": 51}, id="limit 51"),
        pytest.param({"limit": "many"}, id="limit in words"),
        pytest.param({"after": "2026-11-23"}, id="date as cursor"),
        pytest.param({"before": "-1"}, id="negative cursor"),
    ],
)
def test_an_invalid_query_is_a_bad_request(listening, query):
    answer = listening.recent(**query)

    assert (answer.status_code, answer.json["error"]["status"]) == (400, 400)


def test_a_fraction_of_zero_is_left_out(silent):
    silent.push({"track_number": 1, "played_at": "2026-11-23T08:00:00Z"})

    assert silent.recent().json["items"][0]["played_at"] == "2026-11-23T08:00:00Z"


def test_plays_at_one_instant_are_all_shown(silent):
    silent.push(a_push(1, 10), a_push(1, 10), a_push(2, 10))

    assert len(silent.recent().json["items"]) == 3


# The rest of the web API


def test_a_single_track_is_shown(silent):
    track = catalogue.track(123_456)

    answer = silent.http.get(f"/v1/tracks/{track.track_id}", headers=silent.login())

    assert (answer.status_code, answer.json["name"]) == (200, track.name)


def test_an_unknown_track_is_not_found(silent):
    answer = silent.http.get("/v1/tracks/1AAAAAAAAAAAAAAAAAAAAA", headers=silent.login())

    assert answer.status_code == 404


def test_several_tracks_at_once_are_forbidden_since_2026(silent):
    answer = silent.http.get("/v1/tracks?ids=1,2", headers=silent.login())

    assert answer.status_code == 403
    assert answer.json == {"error": {"status": 403, "message": "Forbidden"}}


@pytest.mark.parametrize("path", ["/v1/audio-features?ids=1", "/v1/audio-features/1"])
def test_audio_features_are_forbidden_without_a_message(silent, path):
    answer = silent.http.get(path, headers=silent.login())

    assert answer.status_code == 403
    assert answer.json == {"error": {"status": 403}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/unknown", 404), ("DELETE", PATH, 405), ("GET", "/api/token", 405)],
)
def test_what_is_not_served_is_refused_with_json(silent, method, path, status):
    answer = silent.http.open(path, method=method)

    assert answer.status_code == status
    assert answer.json["error"]["status"] == status


# The door for tests


def test_a_frozen_listener_plays_no_more_but_keeps_the_past(listening, clock):
    before = listening.recent(limit=50).json["items"]

    listening.http.post("/_control/freeze")
    clock.pass_s(600)

    assert listening.recent(limit=50).json["items"] == before


def test_a_resumed_listener_plays_from_then_on(silent, clock):
    clock.pass_s(600)
    silent.http.post("/_control/resume")
    at_once = silent.recent().json["items"]
    resumed_at = clock.now
    clock.pass_s(120)

    plays = silent.recent().json["items"]

    assert at_once == []
    assert len(plays) in {2, 3, 4}
    assert datetime.fromisoformat(plays[-1]["played_at"]) > resumed_at


def test_resuming_someone_who_listens_changes_nothing(listening):
    before = listening.recent(limit=50).json["items"]

    listening.http.post("/_control/resume")

    assert listening.recent(limit=50).json["items"] == before


def test_a_pushed_play_takes_its_place_among_the_others(listening, clock):
    played_at = clock.now - timedelta(minutes=5)

    listening.push({"track_number": 99_999, "played_at": played_at.isoformat()})

    plays = listening.recent(limit=50).json["items"]
    ends = [play["played_at"] for play in plays]
    assert catalogue.track(99_999).name in [play["track"]["name"] for play in plays]
    assert (len(plays), ends) == (50, sorted(ends, reverse=True))


def test_a_play_in_wire_format_is_shown_as_it_was_pushed(silent):
    odd = {"track": None, "played_at": "2026-11-23T08:00:00.1Z", "extra": {"kept": True}}

    silent.push(odd)

    assert silent.recent().json["items"] == [odd]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"played_at": "2026-11-23T08:00:00Z"}, id="no track"),
        pytest.param({"track_number": 1}, id="no instant"),
        pytest.param({"track_number": 1, "played_at": "2026-11-23T08:00:00"}, id="no zone"),
        pytest.param({"track": {}, "played_at": "yesterday"}, id="no instant on the wire"),
        pytest.param("play", id="no object"),
    ],
)
def test_a_bad_push_is_refused_whole(silent, bad):
    answer = silent.push(a_push(1, 10), bad)

    assert answer.status_code == 400
    assert silent.recent().json["items"] == []


def test_a_push_that_is_no_json_is_refused(silent):
    assert silent.http.post("/_control/plays", data="plays").status_code == 415


def test_requests_are_counted_by_path_and_listed(silent):
    silent.recent(limit=50)
    silent.http.get(PATH)

    seen = silent.http.get("/_control/requests").json

    assert seen["counts"] == {"/api/token": 1, PATH: 2}
    assert [
        (one["method"], one["path"], one["query"], one["status"]) for one in seen["requests"]
    ] == [
        ("POST", "/api/token", "", 200),
        ("GET", PATH, "limit=50", 200),
        ("GET", PATH, "", 401),
    ]


def test_the_door_for_tests_is_not_in_the_log(silent):
    silent.http.post("/_control/freeze")
    silent.http.get("/_control/requests")

    assert silent.http.get("/_control/requests").json == {"counts": {}, "requests": []}


def test_the_log_of_requests_holds_no_credential(silent):
    token = silent.token().json["access_token"]
    silent.http.get(PATH, headers={"Authorization": f"Bearer {token}"})

    log = silent.http.get("/_control/requests").text

    assert token not in log
    assert REFRESH_TOKEN not in log
