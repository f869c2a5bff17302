import pytest

from infra.local import catalogue
from tests.unit.local.conftest import RECENT, id_of

TRACK_FIELDS = {
    *("album", "artists", "disc_number", "duration_ms", "explicit", "external_ids"),
    *("external_urls", "href", "id", "is_local", "name", "preview_url", "track_number"),
    *("type", "uri"),
}


def ends(answer):
    return [play["played_at"] for play in answer.json["items"]]


def test_a_refresh_returns_a_one_hour_token_and_no_new_refresh_token(silent):
    answer = silent.token().json

    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3_600)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param({"refresh_token": "unknown"}, "invalid_grant", id="unknown grant"),
        pytest.param({"secret": "wrong"}, "invalid_client", id="wrong secret"),
        pytest.param({"client_id": "unknown"}, "invalid_client", id="unknown client"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="other grant type"),
    ],
)
def test_a_refused_refresh_has_a_flat_oauth_error_body(silent, asked, error):
    answer = silent.token(**asked)

    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert set(answer.json) == {"error", "error_description"}


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "refresh_token", "refresh_token": "local-refresh-token"},
        {"grant_type": "client_credentials", "client_id": "local-client"},
    ],
    ids=["without its id", "without its secret"],
)
def test_a_token_request_without_client_id_or_secret_gets_invalid_client(silent, form):
    answer = silent.http.post("/api/token", data=form)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param("", "No token provided", id="none"),
        pytest.param("Bearer guessed", "Invalid access token", id="unknown"),
        pytest.param("Basic YTpi", "No token provided", id="basic"),
    ],
)
def test_a_call_without_a_valid_token_is_refused(silent, header, message):
    answer = silent.http.get(RECENT, headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.json == {"error": {"status": 401, "message": message}}


def test_recently_played_returns_fifty_plays_newest_first(listening):
    answer = listening.recent()

    assert len(ends(answer)) == 50
    assert ends(answer) == sorted(ends(answer), reverse=True)


def test_after_a_minute_a_new_play_pushes_out_the_oldest(listening, clock):
    before = listening.recent().json["items"]

    clock.pass_s(60)
    after = listening.recent().json["items"]

    new = [play for play in after if play not in before]
    assert 1 <= len(new) <= 2
    assert after == [*new, *before][:50]


def test_a_play_has_the_fields_of_an_app_in_development_mode(listening):
    plays = listening.recent().json["items"]

    assert {frozenset(play) for play in plays} == {frozenset({"track", "played_at", "context"})}
    assert {frozenset(play["track"]) for play in plays} == {frozenset(TRACK_FIELDS)}
    contexts = [play["context"] and set(play["context"]) for play in plays]
    assert None in contexts
    assert {"type", "href", "external_urls", "uri"} in contexts


def test_release_dates_have_the_format_of_their_precision(listening):
    albums = [play["track"]["album"] for play in listening.recent().json["items"]]

    assert {(len(one["release_date"]), one["release_date_precision"]) for one in albums} == {
        *((4, "year"), (7, "month"), (10, "day"))
    }


def test_a_limit_outside_1_to_50_gets_400(listening):
    limits = (1, 50, 0, 51)
    answers = [listening.recent(limit=limit) for limit in limits]

    assert [answer.status_code for answer in answers] == [200, 200, 400, 400]
    assert [len(ends(answer)) for answer in answers[:2]] == [1, 50]


def test_a_play_added_by_a_control_request_is_listed_in_time_order(listening):
    before = listening.recent()
    earlier, later = ends(before)[20:22][::-1]
    middle = f"{earlier[:-1]}1Z"

    listening.http.post("/_control/plays", json=[{"track_number": 99_999, "played_at": middle}])

    plays = listening.recent().json["items"]
    assert plays[21]["track"]["name"] == catalogue.track(99_999).name
    assert (plays[20]["played_at"], plays[22]["played_at"]) == (later, earlier)


def test_played_at_in_whole_seconds_is_written_without_a_fraction(silent):
    play = {"track_number": 1, "played_at": "2026-11-23T08:00:00Z"}

    silent.http.post("/_control/plays", json=[play])

    assert ends(silent.recent()) == ["2026-11-23T08:00:00Z"]


def test_a_track_is_returned_by_id_and_an_unknown_id_gets_404(silent):
    track = silent.get(f"/v1/tracks/{id_of(123_456)}")
    unknown = silent.get("/v1/tracks/1AAAAAAAAAAAAAAAAAAAAA")

    assert track.json["name"] == catalogue.track(123_456).name
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/tracks", {"status": 403, "message": "Forbidden"}),
        ("/v1/audio-features", {"status": 403}),
    ],
)
def test_a_new_app_gets_403_for_batches_of_tracks_or_features(silent, path, error):
    answer = silent.get(path, ids="1,2")

    assert (answer.status_code, answer.json) == (403, {"error": error})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/unknown", 404), ("DELETE", RECENT, 405), ("GET", "/api/token", 405)],
)
def test_an_unknown_path_or_method_gets_a_json_error(silent, method, path, status):
    answer = silent.http.open(path, method=method)

    assert answer.status_code == answer.json["error"]["status"] == status


def test_requests_are_counted_by_path_except_control_requests(silent):
    silent.recent()
    silent.http.get(RECENT)
    silent.push(1)

    counts = silent.http.get("/_control/requests").json["counts"]

    assert counts == {"/api/token": 1, RECENT: 2}
