import base64
import json
import socket
from datetime import UTC, datetime
from itertools import starmap
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from shared.answers import MAX_BYTES
from shared.errors import (
    SpotifyAuthError,
    SpotifyEndpointError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
    SpotifyTokenError,
)
from shared.models import Play
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.wire import read_recently_played
from tests.fakes.spotify import Reply, a_grant, a_page, a_row, json_reply

PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription "
    "status changes, it can take a few hours before requests are allowed again."
)


QUOTA = b'{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}'


@pytest.fixture
def session():
    with open_session() as session:
        yield session


@pytest.fixture
def api(spotify, session):
    return SpotifyApi(session, f"{spotify.url}/v1")


@pytest.fixture
def accounts(spotify, session):
    return SpotifyAccounts(session, spotify.url)


def without(row, *fields):
    track = {name: value for name, value in row["track"].items() if name not in fields}
    return {**row, "track": track}


def only_play(api) -> Play:
    (play,) = api.recently_played("BQ-1").plays
    return play


# Reading an answer


def test_a_row_becomes_a_play_whose_played_time_is_unknown(spotify, api):
    row = {**a_row(popularity=41), "context": {"uri": "spotify:playlist:37AA"}}
    spotify.pages = [a_page(row)]

    play = only_play(api)

    assert play == Play(
        track_uri="spotify:track:Boats",
        track_name="Boats",
        artist_name="The Example",
        album_name="Harbour",
        played_at=datetime(2026, 11, 23, 8, 21, 1, 234_000, UTC),
        ms_played=None,
        popularity=41,
        duration_ms=201_333,
        isrc="QZAAA2600001",
        context_uri="spotify:playlist:37AA",
    )


def test_plays_stand_oldest_first(spotify, api):
    newest_first = ["2026-11-23T08:03:00Z", "2026-11-23T08:02:00Z", "2026-11-23T08:01:00Z"]
    spotify.pages = [a_page(*map(a_row, newest_first))]

    answer = api.recently_played("BQ-1")

    assert [play.played_at.minute for play in answer.plays] == [1, 2, 3]


@pytest.mark.parametrize(
    ("played_at", "microsecond"),
    [
        ("2026-11-23T08:21:01Z", 0),
        ("2026-11-23T08:21:01.2Z", 200_000),
        ("2026-11-23T08:21:01.234999Z", 234_000),
        ("2026-11-23T10:21:01.234+02:00", 234_000),
    ],
)
def test_the_instant_of_a_play_is_in_utc_and_whole_milliseconds(
    spotify, api, played_at, microsecond
):
    spotify.pages = [a_page(a_row(played_at))]

    play = only_play(api)

    assert play.played_at == datetime(2026, 11, 23, 8, 21, 1, microsecond, UTC)
    assert play.played_at.tzinfo is UTC


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(a_row(id=None), id="without an id"),
        pytest.param(a_row(surprise={"new": "field"}), id="with an unknown field"),
        pytest.param(
            without(a_row(), "popularity", "external_ids", "album", "duration_ms", "artists"),
            id="without what may be missing",
        ),
        pytest.param(
            a_row(
                popularity=101,
                external_ids={"isrc": 7},
                album="none",
                duration_ms=-1,
                artists=[],
            ),
            id="with odd values",
        ),
        pytest.param(
            a_row(popularity=[], external_ids=None, album=None, duration_ms="x", artists=None),
            id="with other odd values",
        ),
        pytest.param(
            a_row(
                popularity=-1,
                external_ids=["isrc"],
                album={"name": {}},
                duration_ms=1.5,
                artists="A",
            ),
            id="with odder values",
        ),
        pytest.param({**a_row(), "context": "spotify:playlist:37AA"}, id="from a text"),
        pytest.param({**a_row(), "context": [1]}, id="from a list"),
        pytest.param({**a_row(), "context": {"uri": 7}}, id="from a number"),
        pytest.param({**a_row(), "context": {"type": "collection"}}, id="from a bare context"),
    ],
)
def test_a_play_stays_whatever_its_lesser_fields_hold(spotify, api, row):
    spotify.pages = [a_page(row)]

    play = only_play(api)

    assert play.track_uri == "spotify:track:Boats"
    assert play.track_name == "Boats"
    assert (play.popularity, play.context_uri) == (None, None)


@pytest.mark.parametrize("sent", ["174424", "174424.0", '"174424"', "1.74424e5"])
def test_a_whole_number_is_one_however_it_is_written(spotify, api, sent):
    page = json.dumps({"items": [a_row(duration_ms=0)]})
    spotify.pages = [Reply(page.replace('"duration_ms": 0', f'"duration_ms": {sent}').encode())]

    assert only_play(api).duration_ms == 174_424


def test_a_number_of_thousands_of_digits_spoils_no_row(spotify, api):
    page = json.dumps({"items": [a_row(duration_ms=0), a_row()]})
    spotify.pages = [
        Reply(page.replace('"duration_ms": 0', f'"duration_ms": {"9" * 5_000}').encode())
    ]

    plays = api.recently_played("BQ-1").plays

    assert [play.duration_ms for play in plays] == [None, 201_333]


@pytest.mark.parametrize(
    "artists",
    [[{"name": "A"}], [None, {"name": "A"}], [{"name": None}, {"name": "A"}], ["x", {"name": "A"}]],
)
def test_the_first_artist_with_a_name_counts(spotify, api, artists):
    spotify.pages = [a_page(a_row(artists=artists))]

    assert only_play(api).artist_name == "A"


def test_odd_names_are_unknown(spotify, api):
    spotify.pages = [a_page(a_row(name="Boats", artists=[{"name": None}], album={"name": 7}))]

    play = only_play(api)

    assert (play.artist_name, play.album_name) == ("", None)


def test_a_track_without_a_name_is_a_play(spotify, api):
    row = a_row()
    row["track"]["name"] = None
    spotify.pages = [a_page(row)]

    play = only_play(api)

    assert (play.track_uri, play.track_name) == ("spotify:track:Boats", "")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({**a_row(), "track": None}, id="no track"),
        pytest.param(a_row(uri="spotify:local:::Tape:60", is_local=True, id=None), id="local"),
        pytest.param(a_row(uri="spotify:episode:1A", type="episode"), id="episode"),
        pytest.param(a_row(uri=None), id="no uri"),
        pytest.param(a_row("yesterday"), id="no instant"),
        pytest.param(a_row("2026-11-23T08:21:01.234"), id="no time zone"),
        pytest.param(a_row("0001-01-01T00:00:00+14:00"), id="before the calendar"),
        pytest.param("text", id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_a_row_that_is_no_readable_track_hides_no_other(spotify, api, row):
    spotify.pages = [a_page(row, a_row())]

    answer = api.recently_played("BQ-1")

    assert [play.track_uri for play in answer.plays] == ["spotify:track:Boats"]
    assert (answer.returned, len(answer.unreadable)) == (2, 1)


@pytest.mark.parametrize(
    ("odd", "hides_plays"),
    [
        ({**a_row(), "track": None}, True),
        (a_row(uri="spotify:song:1"), True),
        (a_row(uri=None), True),
        (a_row("yesterday"), True),
        (a_row(uri=7), True),
        ("text", True),
        (a_row(uri="spotify:local:::Tape:60"), False),
        (a_row(uri=None, is_local=True), False),
        (a_row(uri="spotify:episode:1A"), False),
        (a_row(uri="spotify:chapter:1A"), False),
    ],
)
def test_an_unreadable_row_may_be_a_play_unless_it_says_otherwise(spotify, api, odd, hides_plays):
    newest, old = a_row("2026-11-23T09:00:00Z"), a_row("2026-11-23T08:00:00Z")
    spotify.pages = [a_page(newest, odd, old, odd)]

    answer = api.recently_played("BQ-1")

    assert answer.hides_plays is hides_plays
    assert [play.played_at.hour for play in answer.unbroken] == ([9] if hides_plays else [8, 9])


@pytest.mark.parametrize(
    ("odd", "hour"),
    [
        pytest.param({"played_at": "2026-11-23T08:30:00Z", "track": None}, 8, id="no track"),
        pytest.param(a_row("yesterday"), None, id="no instant"),
        pytest.param(a_row("0001-01-01T00:00:00+14:00"), None, id="an instant out of range"),
        pytest.param("text", None, id="no row"),
    ],
)
def test_an_unreadable_row_keeps_its_end_and_its_place(spotify, api, odd, hour):
    newest, old = a_row("2026-11-23T09:00:00Z"), a_row("2026-11-23T08:00:00Z")
    spotify.pages = [a_page(newest, odd, old, odd)]

    hidden = api.recently_played("BQ-1").hidden

    assert [row.newer for row in hidden] == [1, 2]
    assert {row.played_at and row.played_at.hour for row in hidden} == {hour}


def test_unreadable_rows_are_counted_and_recognised_again(spotify, api):
    one, two = a_row(uri=None, name="One"), a_row(uri=None, name="Two")
    spotify.pages = [a_page(one, two), a_page(two)]

    before = api.recently_played("BQ-1").unreadable
    after = api.recently_played("BQ-1").unreadable

    assert len(set(before)) == 2
    assert after == before[1:]


def test_a_lone_surrogate_spoils_its_own_row_only(spotify, api):
    spotify.pages = [a_page(a_row(name="Boats"), a_row(uri="spotify:track:B", name="\ud800"))]

    answer = api.recently_played("BQ-1")

    assert [play.track_uri for play in answer.plays] == ["spotify:track:Boats", "spotify:track:B"]
    assert answer.plays[1].track_name == ""


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, -1, 1.5, 1e400, 10**30, "", ":", "\ud800", "\x00", "9999-12-31T23:59:59Z"),
        *([], {}, [None], [{}], {"name": []}, {"uri": {}}, {"isrc": 7}),
    ]
)
LESSER = ("name", "duration_ms", "popularity", "external_ids", "artists", "album", "type", "id")


@given(context=ODD, lesser=st.dictionaries(st.sampled_from(LESSER), ODD))
def test_no_lesser_field_fails_a_row(context, lesser):
    row = {**a_row(**lesser, uri="spotify:track:1AAAAAAAAAAAAAAAAAAAAA"), "context": context}

    answer = read_recently_played(json.dumps({"items": [row]}).encode())

    assert (len(answer.plays), answer.hides_plays) == (1, False)


@given(odd=ODD, field=st.sampled_from(["track", "played_at"]))
def test_no_row_fails_another(odd, field):
    rows = [{**a_row(), field: odd}, a_row()]

    answer = read_recently_played(json.dumps({"items": rows}).encode())

    assert a_row()["track"]["uri"] in [play.track_uri for play in answer.plays]
    assert len(answer.plays) + len(answer.unreadable) == 2


def test_an_empty_answer_is_an_answer(spotify, api):
    spotify.pages = [json_reply({"items": [], "next": None, "cursors": None})]

    answer = api.recently_played("BQ-1")

    assert (answer.plays, answer.returned, answer.is_full) == ((), 0, False)


@pytest.mark.parametrize(("rows", "is_full"), [(49, False), (50, True)])
def test_fifty_rows_are_a_full_answer(spotify, api, rows, is_full):
    spotify.pages = [a_page(*[a_row()] * rows)]

    assert api.recently_played("BQ-1").is_full is is_full


def test_the_raw_answer_is_kept_as_it_came(spotify, api):
    spotify.pages = [Reply(b'{ "items": [] }\n')]

    assert api.recently_played("BQ-1").raw == b'{ "items": [] }\n'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b""),
        Reply(b"<html>maintenance</html>"),
        Reply(b"\xff\xfe"),
        Reply(b"{}"),
        Reply(b'{"items": null}'),
        Reply(b"[]"),
        Reply(b"[" * 200_000),
        Reply(b"", 204),
    ],
    ids=["nothing", "html", "no utf-8", "no rows", "null rows", "a list", "deep", "no content"],
)
def test_garbage_is_never_taken_for_an_empty_answer(spotify, api, reply):
    spotify.pages = [reply]

    with pytest.raises(SpotifyError):
        api.recently_played("BQ-1")


# Asking


def test_recently_played_is_asked_without_a_cursor(spotify, api):
    api.recently_played("BQ-1")

    (request,) = spotify.requests
    assert request.query == {"limit": "50"}
    assert request.headers["Authorization"] == "Bearer BQ-1"
    assert request.headers["User-Agent"] == "spotify-listening-history-pipeline"
    assert request.headers["Connection"] == "close"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_address_of_the_api_may_name_its_version(spotify, session, suffix):
    SpotifyApi(session, spotify.url + suffix).recently_played("BQ-1")

    assert spotify.paths == ["/v1/me/player/recently-played"]


def test_a_netrc_does_not_replace_the_tokens(spotify, session, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    SpotifyApi(session, spotify.url).recently_played("BQ-1")
    SpotifyAccounts(session, spotify.url).refresh("app", "", "AQ-1")

    played, refreshed = spotify.requests
    assert played.headers["Authorization"] == "Bearer BQ-1"
    assert "Authorization" not in refreshed.headers


def test_a_redirect_is_not_followed(spotify, api):
    elsewhere = spotify.url.replace("127.0.0.1", "localhost")
    spotify.pages = [Reply(b"", 302, {"Location": f"{elsewhere}/v1/me/player/recently-played"})]

    with pytest.raises(SpotifyError, match="302"):
        api.recently_played("BQ-1")

    assert len(spotify.requests) == 1


# Refusals of the API


def test_401_asks_for_a_fresh_token(spotify, api):
    error = {"error": {"status": 401, "message": "The access token expired"}}
    spotify.pages = [json_reply(error, 401)]

    with pytest.raises(SpotifyTokenError, match="The access token expired"):
        api.recently_played("BQ-1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":{"status":403}}', '{"error":{"status":403}}'),
        (PREMIUM.encode(), PREMIUM),
        (b"User not registered in the Developer Dashboard", "User not registered"),
        (b"denied:\n\n\t\xff", "denied: \N{REPLACEMENT CHARACTER}"),
    ],
    ids=["json", "premium", "not registered", "no utf-8"],
)
def test_a_403_names_its_reason(spotify, api, body, words):
    spotify.pages = [Reply(body, 403)]

    with pytest.raises(SpotifyAuthError) as refusal:
        api.recently_played("BQ-1")

    assert words in str(refusal.value)
    assert not isinstance(refusal.value, SpotifyTokenError)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error":{"status":403}}', SpotifyEndpointError),
        (b'{"error":{"status":403,"message":"Forbidden"}}', SpotifyEndpointError),
        (b'{"error":"Forbidden."}', SpotifyEndpointError),
        (b"Forbidden", SpotifyEndpointError),
        (PREMIUM.encode(), SpotifyAuthError),
        (json.dumps({"error": {"status": 403, "message": PREMIUM}}).encode(), SpotifyAuthError),
        (b'{"error":{"status":403,"message":"the user may not be registered"}}', SpotifyAuthError),
        (b'{"error":{"status":403,"message":"Insufficient client scope"}}', SpotifyAuthError),
        (b"<html><h1>403 Forbidden</h1></html>", SpotifyAuthError),
        (b'{"error":{"status":403,"reason":"PREMIUM_REQUIRED"}}', SpotifyAuthError),
        (b'{"error":7}', SpotifyAuthError),
        (b"", SpotifyAuthError),
    ],
)
def test_403_means_what_its_words_say_whatever_their_form(spotify, api, body, error):
    spotify.pages = [Reply(body, 403)]

    with pytest.raises(SpotifyAuthError) as refusal:
        api.recently_played("BQ-1")

    assert type(refusal.value) is error


def test_a_refusal_is_quoted_in_brief_and_without_the_token(spotify, api):
    spotify.pages = [Reply(b"Bearer BQ-secret is refused " + b"x" * 999, 403)]

    with pytest.raises(SpotifyAuthError) as refusal:
        api.recently_played("BQ-secret")

    assert "BQ-secret" not in str(refusal.value)
    assert "Bearer … is refused" in str(refusal.value)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [
        ({"Retry-After": "5"}, 5),
        ({"Retry-After": "0000000052531"}, 52_531),
        ({"Retry-After": "52531"}, 52_531),
        ({"Retry-After": "999999999999"}, 604_800),
        ({"Retry-After": "9" * 6_000}, 604_800),
        ({"Retry-After": "1.5"}, 2),
        ({"Retry-After": "Mon, 23 Nov 9999 08:21:01 GMT"}, 604_800),
    ],
)
@pytest.mark.parametrize("body", [b"Too many requests", QUOTA], ids=["plain text", "json"])
def test_a_429_holds_the_retry_after_of_spotify(spotify, api, header, retry_after_s, body):
    spotify.pages = [Reply(body, 429, header)]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s == retry_after_s


WITHOUT_A_WAIT = [
    {},
    {"Retry-After": "-1"},
    {"Retry-After": ""},
    {"Retry-After": "0"},
    {"Retry-After": "Mon, 23 Nov 2015 08:21:01 GMT"},
]


@pytest.mark.parametrize("header", WITHOUT_A_WAIT, ids=str)
def test_429_without_a_wait_leaves_it_open(spotify, api, header):
    spotify.pages = [Reply(b"Too many requests", 429, header)]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s is None


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    "body",
    [
        QUOTA,
        b"Quota exceeded",
        b'"QUOTA_EXCEEDED"',
        b'{"error":"QUOTA_EXCEEDED"}',
        b'{"error":{"status":429,"message":"Quota exceeded."}}',
        b'{"reason":"QUOTA_EXCEEDED"}',
        b"You have exceeded your daily quota.",
    ],
)
def test_a_quota_is_read_from_the_words_whatever_their_form(spotify, api, status, body):
    spotify.pages = [Reply(body, status)]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s == 5 * 3_600


@pytest.mark.parametrize(
    "words",
    [
        "This endpoint needs extended quota mode",
        "Quota extension needed. See the quota modes.",
        "Too long: the limit is exceeded. See quota modes.",
    ],
)
def test_a_403_that_only_mentions_a_quota_uses_none_up(spotify, api, words):
    spotify.pages = [Reply(words.encode(), 403)]

    with pytest.raises(SpotifyAuthError, match="quota"):
        api.recently_played("BQ-1")


def test_a_rate_limit_by_403_is_a_rate_limit(spotify, api):
    error = {"error": {"status": 403, "message": "API rate limit exceeded"}}
    spotify.pages = [json_reply(error, 403, **{"Retry-After": "7"})]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s == 7


@pytest.mark.parametrize("header", WITHOUT_A_WAIT, ids=str)
def test_a_quota_that_is_used_up_is_waited_for_by_the_hour(spotify, api, accounts, header):
    spotify.pages = spotify.tokens = [Reply(QUOTA, 429, header)]

    with pytest.raises(SpotifyRateLimitError) as of_the_api:
        api.recently_played("BQ-1")
    with pytest.raises(SpotifyRateLimitError) as of_the_accounts:
        accounts.refresh("app", "", "AQ-1")

    assert of_the_api.value.retry_after_s == of_the_accounts.value.retry_after_s == 5 * 3_600


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Too many requests",
        b"[" * 200_000,
        b'{"error":{"status":429,"reason":"RATE_LIMITED"}}',
        b'{"error":{"status":429,"reason":null}}',
        b"\xff",
    ],
    ids=lambda body: body[:45].decode(errors="replace"),
)
def test_no_other_429_is_taken_for_a_quota(spotify, api, body):
    spotify.pages = [Reply(body, 429)]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s is None


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_other_refusals_pass_by(spotify, api, status):
    spotify.pages = [Reply(b"no", status)]

    with pytest.raises(SpotifyError, match=str(status)) as refusal:
        api.recently_played("BQ-1")

    assert type(refusal.value) is SpotifyError


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def test_no_answer_passes_by_too(session, closed_port):
    api = SpotifyApi(session, f"http://127.0.0.1:{closed_port}")

    with pytest.raises(SpotifyError, match="no answer from Spotify: ConnectionError"):
        api.recently_played("BQ-1")


def test_a_huge_page_is_no_answer(spotify, api):
    spotify.pages = [Reply(bytes(MAX_BYTES + 1))]

    with pytest.raises(SpotifyError, match="no answer from Spotify: HugeAnswerError"):
        api.recently_played("BQ-1")


def test_a_huge_grant_is_no_answer(spotify, accounts):
    spotify.tokens = [Reply(bytes(MAX_BYTES + 1))]

    with pytest.raises(SpotifyError, match="no answer from Spotify: HugeAnswerError"):
        accounts.refresh("app", "", "AQ-1")


# The token endpoint


def test_an_app_with_a_secret_signs_by_it(spotify, accounts):
    accounts.refresh("app", "app-secret", "AQ-1")

    (request,) = spotify.requests
    basic = base64.b64encode(b"app:app-secret").decode()
    assert request.headers["Authorization"] == f"Basic {basic}"
    assert request.form == {"grant_type": "refresh_token", "refresh_token": "AQ-1"}


def test_an_app_without_a_secret_names_itself(spotify, accounts):
    accounts.refresh("app", "", "AQ-1")

    (request,) = spotify.requests
    assert "Authorization" not in request.headers
    assert request.form["client_id"] == "app"


@pytest.mark.parametrize(
    ("reply", "refresh_token"),
    [(a_grant("BQ", 3600), None), (a_grant("BQ", 3600, rotated_to="AQ-2"), "AQ-2")],
    ids=["kept", "rotated"],
)
def test_a_grant_may_bring_another_refresh_token(spotify, accounts, reply, refresh_token):
    spotify.tokens = [reply]

    grant = accounts.refresh("app", "", "AQ-1")

    assert (grant.access_token, grant.expires_in_s) == ("BQ", 3600)
    assert grant.refresh_token == refresh_token


@pytest.mark.parametrize(
    ("sent", "lifetime_s"),
    [
        ('"3600"', 3_600),
        ("3599.9", 3_599),
        ("60", 60),
        ("59.9", 3_600),
        ("0", 3_600),
        ("true", 3_600),
        ('"soon"', 3_600),
        ("null", 3_600),
        ("-1", 3_600),
        ("86401", 3_600),
        ("1e400", 3_600),
        ("NaN", 3_600),
        ("9" * 5_000, 3_600),
        ("[]", 3_600),
    ],
    ids=lambda value: str(value)[:10],
)
def test_an_odd_lifetime_leaves_a_usable_token(spotify, accounts, sent, lifetime_s):
    spotify.tokens = [Reply(f'{{"access_token":"BQ","expires_in":{sent}}}'.encode())]

    grant = accounts.refresh("app", "", "AQ-1")

    assert (grant.access_token, grant.expires_in_s) == ("BQ", lifetime_s)


@pytest.mark.parametrize("sent", ["", None, 7, [], "A\nQ", "\ud800"], ids=repr)
def test_an_odd_refresh_token_counts_as_missing(spotify, accounts, sent):
    spotify.tokens = [json_reply({"access_token": "BQ", "refresh_token": sent})]

    assert accounts.refresh("app", "", "AQ-1").refresh_token is None


@pytest.mark.parametrize("sent", [None, 7, [], {"a": 1}, "\ud800"], ids=repr)
def test_unneeded_fields_do_not_invalidate_a_token(spotify, accounts, sent):
    spotify.tokens = [json_reply({"access_token": "BQ", "scope": sent, "token_type": sent})]

    grant = accounts.refresh("app", "", "AQ-1")

    assert grant.access_token == "BQ"  # noqa: S105 - no real one


def test_a_grant_does_not_show_its_tokens(spotify, accounts):
    spotify.tokens = [a_grant("BQ-secret", rotated_to="AQ-secret")]

    assert "secret" not in repr(accounts.refresh("app", "", "AQ-1"))


def a_grant_refusal(code, description="words", status=400):
    return json_reply({"error": code, "error_description": description}, status)


@pytest.mark.parametrize(
    "description", ["Refresh token revoked", "Refresh token expired", "Invalid refresh token"]
)
def test_a_dead_grant_asks_for_a_login(spotify, accounts, description):
    spotify.tokens = [a_grant_refusal("invalid_grant", description)]

    with pytest.raises(SpotifyLoginError, match=r"invalid_grant$"):
        accounts.refresh("app", "", "AQ-1")


def test_a_dead_grant_needs_no_description(spotify, accounts):
    spotify.tokens = [a_grant_refusal("invalid_grant", None)]

    with pytest.raises(SpotifyLoginError):
        accounts.refresh("app", "", "AQ-1")


@pytest.mark.parametrize("reply", list(starmap(a_grant_refusal, [
    ("invalid_client", "Invalid client secret", 400),
    ("invalid_client", "Invalid client", 401),
    ("unauthorized_client", "Not allowed", 400),
])))  # fmt: skip
def test_a_refused_app_asks_for_a_person(spotify, accounts, reply):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyAuthError, match="refuses the app") as refusal:
        accounts.refresh("app", "wrong", "AQ-1")

    assert not isinstance(refusal.value, SpotifyLoginError | SpotifyTokenError)


@pytest.mark.parametrize(
    "reply",
    [
        a_grant_refusal("server_error"),
        a_grant_refusal("invalid_grant", status=500),
        Reply(b"upstream connect error", 503),
        Reply(b"forbidden", 403),
        Reply(b"no", 401),
        Reply(b"<html>", 200),
        json_reply({"access_token": "BQ\nX-Injected: yes", "expires_in": 3600}),
        json_reply({"expires_in": 3600}),
    ],
    ids=["code", "500", "503", "403", "401", "html", "unfit token", "no token"],
)
def test_any_other_failure_says_nothing_about_the_grant(spotify, accounts, reply):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError) as failure:
        accounts.refresh("app", "", "AQ-1")

    assert type(failure.value) is SpotifyError
    assert "BQ" not in str(failure.value)


BASIC = base64.b64encode(b"app:app-secret").decode()
SECRETS = ("BQ-secret", "AQ-secret", "AQC-code", "V-verifier", "app-secret", BASIC)
ECHO = " ".join(SECRETS)
ECHOES = [
    Reply(json.dumps({"access_token": "BQ-secret", "refresh_token": "AQ-secret"}).encode(), 203),
    Reply(ECHO.encode(), 500),
    Reply(ECHO.encode(), 302, {"Location": f"https://example.test/?code={ECHO}"}),
    Reply(b"", 204),
    a_grant_refusal("invalid_grant", ECHO),
    a_grant_refusal("invalid_client", ECHO, 401),
    a_grant_refusal(ECHO, ECHO),
    a_grant_refusal("server_error", ECHO, 503),
    Reply(ECHO.encode(), 429),
    Reply(ECHO.encode(), 200),
    json_reply({"access_token": ECHO, "refresh_token": ECHO}),
]


def everything_of(error):
    """Give all that a log or a debugger could show of an error and of those behind it."""
    seen = []
    while error is not None:
        seen += [repr(error), repr(vars(error)), *map(repr, error.args)]
        # The errors of requests and of json hold what was sent and what came.
        assert not isinstance(error, requests.RequestException | json.JSONDecodeError)
        error = error.__cause__ or error.__context__
    return " ".join(seen)


@pytest.mark.parametrize("reply", ECHOES, ids=lambda reply: f"{reply.status} {reply.body[:25]}")
@pytest.mark.parametrize("trade", ["refresh", "exchange"])
def test_an_answer_of_the_token_endpoint_is_never_quoted(spotify, accounts, reply, trade):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError) as failure:
        exchange(accounts) if trade == "exchange" else accounts.refresh(
            "app", "app-secret", "AQ-secret"
        )

    assert not any(secret in everything_of(failure.value) for secret in SECRETS)


def test_without_an_answer_no_error_holds_the_request(session, closed_port):
    accounts = SpotifyAccounts(session, f"http://127.0.0.1:{closed_port}")

    with pytest.raises(SpotifyError) as failure:
        accounts.refresh("app", "app-secret", "AQ-secret")

    assert not any(secret in everything_of(failure.value) for secret in SECRETS)


@pytest.mark.parametrize(
    "echo",
    [
        f"Authorization: Basic {BASIC}",
        "header was bearer BQ-another",
        f"token {'x' * 32}",
        f"code {'AQC-_9' * 6} refused",
        "the token BQ-1 is too old",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_what_looks_like_a_secret_is_not_quoted(spotify, api, status, echo):
    spotify.pages = [Reply(echo.encode(), status)]

    with pytest.raises(SpotifyError) as refusal:
        api.recently_played("BQ-1")

    assert "…" in str(refusal.value)
    assert not any(
        secret in str(refusal.value) for secret in (BASIC, "BQ-another", "x" * 32, "AQC-_9", "BQ-1")
    )


def test_the_token_endpoint_throttles_as_the_api_does(spotify, accounts):
    spotify.tokens = [Reply(b"Too many requests", 429, {"Retry-After": "7"})]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        accounts.refresh("app", "", "AQ-1")

    assert refusal.value.retry_after_s == 7


# A consent, and the app itself


def exchange(accounts, client_secret="app-secret"):  # noqa: S107 - no real one
    return accounts.exchange(
        "app",
        client_secret,
        code="AQC-code",
        verifier="V-verifier",
        redirect_uri="http://127.0.0.1:8765/callback",
    )


def test_the_code_of_a_consent_gives_both_tokens(spotify, accounts):
    spotify.tokens = [a_grant("BQ", rotated_to="AQ-1")]

    grant = exchange(accounts)

    assert (grant.access_token, grant.refresh_token) == ("BQ", "AQ-1")


def test_a_code_is_traded_with_its_verifier_and_redirect_uri(spotify, accounts):
    exchange(accounts)

    (request,) = spotify.requests
    basic = base64.b64encode(b"app:app-secret").decode()
    assert request.headers["Authorization"] == f"Basic {basic}"
    assert request.form == {
        "grant_type": "authorization_code",
        "code": "AQC-code",
        "code_verifier": "V-verifier",
        "redirect_uri": "http://127.0.0.1:8765/callback",
    }


def test_a_code_is_traded_without_a_secret_too(spotify, accounts):
    exchange(accounts, client_secret="")

    (request,) = spotify.requests
    assert "Authorization" not in request.headers
    assert request.form["client_id"] == "app"


@pytest.mark.parametrize(
    "description",
    ["Invalid authorization code", "Authorization code expired", "Invalid redirect URI"],
)
def test_an_invalid_code_asks_for_another_consent(spotify, accounts, description):
    spotify.tokens = [a_grant_refusal("invalid_grant", description)]

    with pytest.raises(SpotifyLoginError, match=r"invalid_grant$"):
        exchange(accounts)


def test_a_redirect_uri_that_the_app_does_not_know_is_for_its_owner_to_mend(spotify, accounts):
    spotify.tokens = [a_grant_refusal("invalid_client", "Invalid redirect URI")]

    with pytest.raises(SpotifyAuthError, match="refuses the app: invalid_client"):
        exchange(accounts)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"Too many requests", 429, {"Retry-After": "7"}), "rate limited by Spotify for 7 s"),
        (Reply(b"upstream connect error", 503), "status 503$"),
        (a_grant_refusal("invalid_request", "code_verifier must be supplied"), "status 400"),
    ],
    ids=["429", "503", "bad request"],
)
def test_another_refusal_of_a_code_is_not_an_auth_error(spotify, accounts, reply, error):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError, match=error) as failure:
        exchange(accounts)

    assert not isinstance(failure.value, SpotifyAuthError)


def test_the_app_itself_gets_a_token_by_its_secret(spotify, accounts):
    spotify.tokens = [a_grant("BQ-app")]

    grant = accounts.client_credentials("app", "app-secret")

    (request,) = spotify.requests
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.form == {"grant_type": "client_credentials"}
    assert (grant.access_token, grant.refresh_token) == ("BQ-app", None)


def test_an_app_that_spotify_does_not_accept_gets_no_token(spotify, accounts):
    spotify.tokens = [a_grant_refusal("invalid_client", "Invalid client secret app-secret")]

    with pytest.raises(SpotifyAuthError, match=r"refuses the app: invalid_client$"):
        accounts.client_credentials("app", "app-secret")
