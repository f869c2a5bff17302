"""The source Spotify: every kind of answer of its audio features API."""

import json
from base64 import b64encode
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from services.enricher.sources.source import Answer, RequestRejectedError, SourceOffError
from services.enricher.sources.spotify import SpotifyFeatures
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.errors import FeatureSourceError
from shared.models import TrackFeatures
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import AppState, SpotifyApps
from tests.fakes.spotify import (
    Reply,
    a_grant,
    a_sound,
    a_spotify_server,
    a_track,
    json_reply,
    rows_of,
)
from tests.unit.enricher.examples import APPS, START, uri, uris

LOGIN_OF = "spotify-pipeline/listener/me"
LOGIN = {
    "client_id": "client-1",
    "client_secret": "SECRET-of-the-app",
    "refresh_token": "AQ-1",
    "authorized_at": "2026-07-01T00:00:00Z",
}
FEATURES, TRACKS, TOKEN = "/v1/audio-features", "/v1/tracks", "/api/token"
FORBIDDEN = Reply(b'{"error":{"status":403}}', 403)


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        yield server


@pytest.fixture
def secretsmanager(dynamodb):
    secretsmanager = boto3.client("secretsmanager")
    secretsmanager.create_secret(Name=LOGIN_OF, SecretString=json.dumps(LOGIN))
    return secretsmanager


@pytest.fixture
def apps(dynamodb):
    return SpotifyApps(dynamodb, APPS)


@pytest.fixture
def new_source(spotify, secretsmanager, apps, clock):
    """Return the source of a container that has just started."""
    with open_session() as session:

        def make(daily_calls=200):
            calls = SpotifyCalls(
                secretsmanager=secretsmanager,
                secret=LOGIN_OF,
                accounts=SpotifyAccounts(session, spotify.url),
                apps=apps,
                daily_calls=daily_calls,
                now=clock,
            )
            return SpotifyFeatures(SpotifyApi(session, spotify.url), calls, clock)

        yield make


@pytest.fixture
def source(new_source):
    return new_source()


def kind_of_failure(answer):
    """Return the class of the failure; a failure reports no track as missing."""
    assert not answer.missing
    return type(answer.failure)


def test_features_and_popularity_of_the_two_calls_are_combined(source):
    answer = source.fetch([uri("Boats")])

    sound = {name: a_sound("")[name] for name in set(a_sound("")) & set(TrackFeatures.model_fields)}
    features = TrackFeatures(
        **sound
        | {"track_uri": uri("Boats"), "duration_ms": 201_334, "source": "spotify"}
        | {"fetched_at": START, "popularity": 69}
    )
    assert answer == Answer({uri("Boats"): features})
    assert (features.key, features.time_signature) == (-1, 1)


def test_forty_tracks_take_two_calls_and_a_token_is_reused_for_an_hour(source, spotify, clock):
    for _ in range(3):
        source.fetch(uris(40))
        clock.move(minutes=30)

    two_calls = [FEATURES, TRACKS]
    assert spotify.paths == [TOKEN, *two_calls, *two_calls, TOKEN, *two_calls]
    assert spotify.requests[1].query["ids"].count(",") == 39


def test_features_are_requested_with_a_client_credentials_token(source, spotify):
    source.fetch([uri("Boats")])

    asked = spotify.requests[0]
    assert asked.form == {"grant_type": "client_credentials"}
    assert spotify.requests[1].headers["Authorization"] == "Bearer BQ-1"


def test_response_rows_are_matched_to_the_requested_ids_by_position(source, spotify):
    first, second = a_sound("relinked") | {"energy": 0.1}, a_sound("b") | {"energy": 0.2}
    spotify.features = [json_reply({"audio_features": [first, second]})]

    answer = source.fetch([uri("a"), uri("b")])

    assert [answer.features[uri(name)].energy for name in ("a", "b")] == [0.1, 0.2]


def test_a_track_with_null_rows_counts_as_missing(source, spotify):
    spotify.features = [json_reply({"audio_features": [None, a_sound("b")]})]
    spotify.tracks = [json_reply({"tracks": [None, a_track("b")]})]

    answer = source.fetch([uri("a"), uri("b")])

    assert (set(answer.features), answer.missing) == ({uri("b")}, {uri("a")})


def test_a_track_with_only_a_popularity_counts_as_missing(source, spotify):
    spotify.features = [rows_of("audio_features", lambda _: None)]

    answer = source.fetch([uri("a")])

    assert answer.missing == {uri("a")}
    assert answer.features[uri("a")].popularity == 69


def test_popularity_is_unknown_if_the_track_object_lacks_it(source, spotify):
    spotify.tracks = [json_reply({"tracks": [{"duration_ms": None}]})]

    features = source.fetch([uri("a")]).features[uri("a")]

    assert (features.popularity, features.popularity_source) == (None, None)
    assert features.duration_ms == 201_333


@pytest.mark.parametrize(
    "values", [{"energy": 2}, {"key": 12}, {"tempo": -1}, {"mode": "x"}], ids=str
)
def test_an_out_of_range_value_is_unknown_and_the_others_are_kept(source, spotify, values):
    spotify.features = [json_reply({"audio_features": [a_sound("a") | values]})]

    features = source.fetch([uri("a")]).features[uri("a")]

    assert [getattr(features, name) for name in values] == [None]
    assert (features.valence, features.popularity) == (0.571, 69)


def test_a_403_for_audio_features_disables_the_spotify_source_in_every_container(
    source, new_source, spotify, apps, clock
):
    spotify.features = [FORBIDDEN]

    answers = [one.fetch([uri("a")]) for one in (source, source, new_source(), new_source())]

    assert [kind_of_failure(answer) for answer in answers] == [SourceOffError] * 4
    assert spotify.paths == [TOKEN, FEATURES]
    assert apps.load("client-1") == AppState(features_forbidden_at=START)
    assert not apps.load("client-1").is_blocked(clock())


@pytest.mark.parametrize(("name", "path"), [("features", FEATURES), ("tracks", TRACKS)])
def test_a_call_refused_with_403_is_tried_again_a_day_later(source, spotify, clock, name, path):
    setattr(spotify, name, [FORBIDDEN, *getattr(spotify, name)])
    source.fetch([uri("a")])
    clock.move(hours=23, minutes=59)
    source.fetch([uri("a")])
    clock.move(minutes=1)

    answer = source.fetch([uri("a")])

    assert spotify.paths.count(path) == 2
    assert answer.features[uri("a")].popularity == 69


def test_a_403_of_the_tracks_endpoint_leaves_only_popularity_unknown(source, spotify, apps, caplog):
    spotify.tracks = [FORBIDDEN]

    answers = [source.fetch([uri("a")]) for _ in range(2)]

    features = answers[0].features[uri("a")]
    assert answers == [Answer({uri("a"): features})] * 2
    assert (features.energy, features.popularity) == (0.715, None)
    assert spotify.paths == [TOKEN, FEATURES, TRACKS, FEATURES]
    assert apps.load("client-1") == AppState()
    assert [record.message for record in caplog.records] == ["feature source gives no popularity"]


@pytest.mark.parametrize(
    "text",
    [
        b"Active premium subscription required for the owner of the app.",
        b"User not registered in the Developer Dashboard",
        b"<html>403</html>",
    ],
    ids=["Premium", "not registered", "of a gateway"],
)
@pytest.mark.parametrize("path", ["features", "tracks"])
def test_a_403_about_premium_or_registration_or_by_a_gateway_delays_the_retry_6_h(
    source, spotify, apps, path, text
):
    setattr(spotify, path, [Reply(text, 403)])

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is FeatureSourceError
    assert answer.failure.retry_after_s == 6 * 3_600
    assert apps.load("client-1") == AppState()


LEAD_S = 3_600


@pytest.mark.parametrize(
    ("path", "headers", "block_s"),
    [
        ("features", {"Retry-After": "5"}, 5),
        ("tracks", {"Retry-After": "5"}, 5),
        ("tokens", {"Retry-After": "5"}, 5),
        ("features", {}, 60),
    ],
    ids=["features", "tracks", "tokens", "without Retry-After"],
)
def test_a_429_stops_polls_for_its_retry_after_and_feature_calls_an_hour_longer(
    source, spotify, apps, *, path, headers, block_s
):
    setattr(spotify, path, [Reply(b"Too many requests", 429, headers)])

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is FeatureSourceError
    assert answer.failure.retry_after_s == block_s + LEAD_S
    assert apps.load("client-1").blocked_until == START + timedelta(seconds=block_s)


@pytest.mark.parametrize("seconds", [0, 5, 5 + LEAD_S - 1])
def test_no_container_requests_features_until_an_hour_after_a_rate_limit_ends(
    source, new_source, spotify, clock, seconds
):
    spotify.features = [Reply(b"", 429, {"Retry-After": "5"}), rows_of("audio_features", a_sound)]
    source.fetch([uri("a")])
    spotify.requests.clear()
    clock.move(seconds=seconds)

    answers = [one.fetch([uri("a")]) for one in (source, new_source())]
    calls = list(spotify.requests)
    clock.move(seconds=5 + LEAD_S - seconds)

    assert {one.failure.retry_after_s for one in answers} == {5 + LEAD_S - seconds}
    assert calls == []
    assert source.fetch([uri("a")]).failure is None


def test_a_rate_limit_recorded_by_a_poll_stops_feature_calls(source, spotify, apps):
    apps.throttle("client-1", 600, START)

    answer = source.fetch([uri("a")])

    assert answer.failure.retry_after_s == 600 + LEAD_S
    assert spotify.requests == []


def test_a_rate_limit_recorded_between_the_two_calls_stops_the_second(source, spotify, apps):
    def meanwhile(request):
        apps.throttle("client-1", 600, START)
        return rows_of("audio_features", a_sound)(request)

    spotify.features = [meanwhile]

    answer = source.fetch([uri("a")])

    assert spotify.paths == [TOKEN, FEATURES]
    assert kind_of_failure(answer) is FeatureSourceError
    assert answer.features[uri("a")].energy == 0.715


def test_all_containers_share_one_daily_call_budget(new_source, spotify):
    one, another = (new_source(daily_calls=4) for _ in range(2))

    answers = [source.fetch([uri("a")]) for source in (one, another, one, another)]

    assert [answer.failure is None for answer in answers] == [True, True, False, False]
    assert spotify.paths.count(FEATURES) + spotify.paths.count(TRACKS) == 4
    until_midnight_s = 16 * 3_600
    assert [answer.failure.retry_after_s for answer in answers[2:]] == [until_midnight_s] * 2


EXPIRED = json_reply({"error": {"status": 401, "message": "The access token expired"}}, 401)


def test_a_rejected_token_is_replaced_once(source, spotify):
    spotify.tokens = [a_grant("BQ-old"), a_grant("BQ-new")]
    spotify.features = [EXPIRED, rows_of("audio_features", a_sound)]

    answer = source.fetch([uri("a")])

    assert answer.failure is None
    assert spotify.paths == [TOKEN, FEATURES, TOKEN, FEATURES, TRACKS]
    assert spotify.requests[-1].headers["Authorization"] == "Bearer BQ-new"


def test_a_newly_issued_token_that_is_rejected_is_a_failure(source, spotify, apps):
    spotify.features = [EXPIRED]

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is FeatureSourceError
    assert spotify.paths == [TOKEN, FEATURES] * 2
    assert apps.load("client-1") == AppState()


@pytest.mark.parametrize("status", [404, 500, 502, 503])
@pytest.mark.parametrize("path", ["features", "tracks", "tokens"])
def test_a_404_or_5xx_status_is_a_failure_without_a_retry_delay(
    source, spotify, apps, path, status
):
    setattr(spotify, path, [Reply(b"oops", status)])

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is FeatureSourceError
    assert answer.failure.retry_after_s is None
    assert apps.load("client-1") == AppState()


def test_a_400_is_returned_as_a_request_rejected_error(source, spotify):
    spotify.features = [json_reply({"error": {"status": 400, "message": "invalid id"}}, 400)]

    assert isinstance(source.fetch([uri("a")]).failure, RequestRejectedError)


@pytest.mark.parametrize(
    "login",
    [
        "{}",
        "no JSON",
        json.dumps(LOGIN | {"client_secret": ""}),
        json.dumps({"refresh_token": "AQ-1"}),
    ],
    ids=["not logged in", "no JSON", "no client secret", "no app"],
)
def test_the_spotify_source_is_disabled_without_a_client_id_and_secret(
    source, spotify, secretsmanager, login
):
    secretsmanager.put_secret_value(SecretId=LOGIN_OF, SecretString=login)

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is SourceOffError
    assert LOGIN_OF in str(answer.failure)
    assert "AQ-1" not in str(answer.failure)
    assert answer.failure.__cause__.__context__ is None
    assert spotify.requests == []


def test_an_invalid_client_error_disables_spotify_in_this_container_only(
    source, new_source, spotify, apps
):
    spotify.tokens = [json_reply({"error": "invalid_client"}, 400), a_grant()]

    assert isinstance(source.fetch([uri("a")]).failure, SourceOffError)
    assert apps.load("client-1") == AppState()
    assert new_source().fetch([uri("a")]).failure is None


def basic(client_id, client_secret):
    return f"Basic {b64encode(f'{client_id}:{client_secret}'.encode()).decode()}"


def no_secret_yet(spotify, secretsmanager):
    login = json.dumps(LOGIN | {"client_secret": ""})
    secretsmanager.put_secret_value(SecretId=LOGIN_OF, SecretString=login)


def a_wrong_secret(spotify, secretsmanager):
    spotify.tokens = [json_reply({"error": "invalid_client"}, 400), a_grant()]


def an_app_without_features(spotify, secretsmanager):
    spotify.features = [FORBIDDEN, rows_of("audio_features", a_sound)]


@pytest.mark.parametrize("trouble", [no_secret_yet, a_wrong_secret, an_app_without_features])
def test_a_new_login_enables_the_spotify_source_again(source, spotify, secretsmanager, trouble):
    trouble(spotify, secretsmanager)
    before = source.fetch([uri("a")])
    login = json.dumps({"client_id": "client-2", "client_secret": "SECRET-2"})
    secretsmanager.put_secret_value(SecretId=LOGIN_OF, SecretString=login)

    after = source.fetch([uri("a")])

    assert (kind_of_failure(before), after.failure) == (SourceOffError, None)
    assert spotify.requests[-3].headers["Authorization"] == basic("client-2", "SECRET-2")


def a_missing_secret(secretsmanager, dynamodb, monkeypatch):
    secretsmanager.delete_secret(SecretId=LOGIN_OF, ForceDeleteWithoutRecovery=True)


def a_throttled_secret(secretsmanager, dynamodb, monkeypatch):
    def throttled(**_):
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue")

    monkeypatch.setattr(secretsmanager, "get_secret_value", throttled)


def a_missing_table(secretsmanager, dynamodb, monkeypatch):
    dynamodb.delete_table(TableName=APPS)


def a_damaged_state(secretsmanager, dynamodb, monkeypatch):
    SpotifyApps(dynamodb, APPS).forbid_features("client-1", START)
    (item,) = dynamodb.scan(TableName=APPS)["Items"]
    dynamodb.put_item(TableName=APPS, Item=item | {"blocked_until": {"S": "soon"}})


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [
        (a_missing_secret, SourceOffError),
        (a_throttled_secret, FeatureSourceError),
        (a_missing_table, FeatureSourceError),
        (a_damaged_state, SourceOffError),
    ],
)
def test_spotify_is_not_called_if_its_secret_or_rate_limit_item_is_unreadable(
    source, spotify, secretsmanager, dynamodb, monkeypatch, *, trouble, failure
):
    trouble(secretsmanager, dynamodb, monkeypatch)

    answer = source.fetch([uri("a")])

    assert kind_of_failure(answer) is failure
    assert spotify.requests == []


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
@pytest.mark.parametrize("path", ["features", "tracks", "tokens"])
def test_no_secret_or_token_reaches_a_log_or_an_error(source, spotify, caplog, path, status):
    # The API receives only the token, so it can echo nothing else.
    secret = LOGIN["client_secret"] if path == "tokens" else "BQ-1"
    echo = {"error": "invalid_grant", "error_description": f"no: {secret}"}
    setattr(spotify, path, [json_reply(echo, status)])

    answer = source.fetch([uri("a")])

    texts = [str(answer.failure), *(str(vars(record)) for record in caplog.records)]
    assert texts != ["None"]
    assert not [text for text in texts if secret in text]
