"""Calls to Spotify: what they send, and the error for each refusal."""

import base64
import json
import socket

import pytest
import requests

from shared.answers import MAX_BYTES
from shared.errors import (
    SpotifyAuthError,
    SpotifyEndpointError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
    SpotifyRequestError,
    SpotifyTokenError,
)
from shared.spotify.api import SpotifyAccounts, SpotifyApi
from tests.fakes.spotify import PLAYED, Reply, a_grant, json_reply

PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription "
    "status changes, it can take a few hours before requests are allowed again."
)


@pytest.fixture
def api(spotify, session):
    return SpotifyApi(session, f"{spotify.url}/v1")


@pytest.fixture
def accounts(spotify, session):
    return SpotifyAccounts(session, spotify.url)


# What the API is asked


def test_recently_played_is_requested_without_a_cursor(spotify, api):
    api.recently_played("BQ-1")

    (request,) = spotify.requests
    assert request.query == {"limit": "50"}
    assert request.headers["Authorization"] == "Bearer BQ-1"
    assert request.headers["User-Agent"] == "spotify-listening-history-pipeline"
    assert request.headers["Connection"] == "close"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_api_url_can_include_the_version(spotify, session, suffix):
    SpotifyApi(session, spotify.url + suffix).recently_played("BQ-1")

    assert spotify.paths == [PLAYED]


def test_credentials_in_a_netrc_file_are_ignored(spotify, api, accounts, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    api.recently_played("BQ-1")
    accounts.refresh("app", "", "AQ-1")

    played, refreshed = spotify.requests
    assert played.headers["Authorization"] == "Bearer BQ-1"
    assert "Authorization" not in refreshed.headers


def test_a_redirect_of_the_api_is_not_followed(spotify, api):
    elsewhere = spotify.url.replace("127.0.0.1", "localhost")
    spotify.pages = [Reply(b"", 302, {"Location": f"{elsewhere}{PLAYED}"})]

    with pytest.raises(SpotifyError, match="302"):
        api.recently_played("BQ-1")

    assert len(spotify.requests) == 1


# Refusals of the API


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (204, "", SpotifyError),
        (400, '{"error":{"status":400,"message":"invalid id"}}', SpotifyRequestError),
        (401, '{"error":{"status":401,"message":"expired"}}', SpotifyTokenError),
        (403, '{"error":{"status":403}}', SpotifyEndpointError),
        (403, '{"error":{"status":403,"message":"Forbidden"}}', SpotifyEndpointError),
        (403, '{"error":"Forbidden."}', SpotifyEndpointError),
        (403, "Forbidden", SpotifyEndpointError),
        (403, PREMIUM, SpotifyAuthError),
        (403, json.dumps({"error": {"status": 403, "message": PREMIUM}}), SpotifyAuthError),
        (403, '{"error":{"message":"the user may not be registered"}}', SpotifyAuthError),
        (403, '{"error":{"message":"Insufficient client scope"}}', SpotifyAuthError),
        (403, "<html><h1>403 Forbidden</h1></html>", SpotifyAuthError),
        (403, '{"error":{"status":403,"reason":"PREMIUM_REQUIRED"}}', SpotifyAuthError),
        (403, '{"error":7}', SpotifyAuthError),
        (403, "", SpotifyAuthError),
        (403, "This endpoint needs extended quota mode", SpotifyAuthError),
        (403, "Quota extension needed. See the quota modes.", SpotifyAuthError),
        (403, "Too long: the limit is exceeded. See quota modes.", SpotifyAuthError),
        (404, "no", SpotifyError),
        (500, "no", SpotifyError),
        (502, "no", SpotifyError),
        (503, "no", SpotifyError),
    ],
)
def test_the_status_and_body_of_an_error_decide_the_exception_class(
    spotify, api, status, body, error
):
    spotify.pages = [Reply(body.encode(), status)]

    with pytest.raises(SpotifyError) as refusal:
        api.recently_played("BQ-1")

    assert type(refusal.value) is error


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"error":{"message":"The access token expired"}}', "The access token expired"),
        (403, b'{"error":{"status":403}}', '{"error":{"status":403}}'),
        (403, PREMIUM.encode(), PREMIUM),
        (403, b"denied:\n\n\t\xff", "denied: \N{REPLACEMENT CHARACTER}"),
        (502, b"bad gateway", "status 502: bad gateway"),
    ],
    ids=["401", "json", "premium", "no utf-8", "502"],
)
def test_the_reason_that_spotify_gives_is_in_the_error(spotify, api, status, body, words):
    spotify.pages = [Reply(body, status)]

    with pytest.raises(SpotifyError) as refusal:
        api.recently_played("BQ-1")

    assert words in str(refusal.value)


def test_the_quoted_reason_is_shortened_and_hides_the_token(spotify, api):
    spotify.pages = [Reply(b"Bearer BQ-secret is refused " + b"x" * 999, 403)]

    with pytest.raises(SpotifyAuthError) as refusal:
        api.recently_played("BQ-secret")

    assert "BQ-secret" not in str(refusal.value)
    assert "Bearer … is refused" in str(refusal.value)
    assert len(str(refusal.value)) < 250


# Rate limits

QUOTA = '{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}'
BUSY = "Too many requests"
FIVE_HOURS = 5 * 3_600
OVER_QUOTA = [
    QUOTA,
    "Quota exceeded",
    '"QUOTA_EXCEEDED"',
    '{"error":"QUOTA_EXCEEDED"}',
    '{"error":{"status":429,"message":"Quota exceeded."}}',
    '{"reason":"QUOTA_EXCEEDED"}',
    "You have exceeded your daily quota.",
]
NO_WAIT = ["", "-1", "0", "Mon, 23 Nov 2015 08:21:01 GMT"]
OTHER_WORDS = [
    BUSY,
    "",
    "[" * 200_000,
    '{"error":{"status":429,"reason":"RATE_LIMITED"}}',
    '{"error":{"status":429,"reason":null}}',
]


@pytest.fixture(params=["api", "accounts"])
def call(request, spotify, api, accounts):
    """A call that gets a reply, to the API or to the token endpoint."""
    calls = {"api": lambda: api.recently_played("BQ-1"), "accounts": lambda: refresh(accounts)}

    def ask(reply):
        spotify.pages = spotify.tokens = [reply]
        return calls[request.param]()

    return ask


@pytest.mark.parametrize(
    ("body", "header", "wait_s"),
    [
        (BUSY, "5", 5),
        (QUOTA, "52531", 52_531),
        (BUSY, "999999999999", 604_800),
        *[(BUSY, header, None) for header in NO_WAIT],
        *[(QUOTA, header, FIVE_HOURS) for header in NO_WAIT],
        *[(body, "", FIVE_HOURS) for body in OVER_QUOTA],
        *[(body, "", None) for body in OTHER_WORDS],
    ],
    ids=lambda value: str(value)[:45],
)
def test_the_wait_after_a_429_is_its_retry_after_or_5_h_if_a_quota_is_exceeded(
    call, body, header, wait_s
):
    with pytest.raises(SpotifyRateLimitError) as refusal:
        call(Reply(body.encode(), 429, {"Retry-After": header}))

    assert refusal.value.retry_after_s == wait_s


@pytest.mark.parametrize(
    ("body", "header", "wait_s"),
    [
        ('{"error":{"status":403,"message":"API rate limit exceeded"}}', "7", 7),
        *[(body, "", FIVE_HOURS) for body in OVER_QUOTA],
    ],
)
def test_a_403_that_names_a_rate_limit_counts_as_a_rate_limit(spotify, api, body, header, wait_s):
    spotify.pages = [Reply(body.encode(), 403, {"Retry-After": header})]

    with pytest.raises(SpotifyRateLimitError) as refusal:
        api.recently_played("BQ-1")

    assert refusal.value.retry_after_s == wait_s


# No answer


@pytest.fixture
def closed_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_if_spotify_is_unreachable_the_error_names_the_exception(session, closed_url):
    with pytest.raises(SpotifyError, match="no answer from Spotify: ConnectionError"):
        SpotifyApi(session, closed_url).recently_played("BQ-1")


def test_a_response_above_the_size_limit_is_an_error(call):
    with pytest.raises(SpotifyError, match="no answer from Spotify: HugeAnswerError"):
        call(Reply(bytes(MAX_BYTES + 1)))


# The token endpoint

BASIC = base64.b64encode(b"app:app-secret").decode()


def refresh(accounts, app_secret="app-secret"):  # noqa: S107 - no real one
    return accounts.refresh("app", app_secret, "AQ-secret")


def exchange(accounts, app_secret="app-secret"):  # noqa: S107 - no real one
    return accounts.exchange(
        "app",
        app_secret,
        code="AQC-code",
        verifier="V-verifier",
        redirect_uri="http://127.0.0.1:8765/callback",
    )


def client_credentials(accounts):
    return accounts.client_credentials("app", "app-secret")


TRADES = pytest.mark.parametrize("trade", [refresh, exchange, client_credentials])


@pytest.mark.parametrize(
    ("trade", "form"),
    [
        (refresh, {"grant_type": "refresh_token", "refresh_token": "AQ-secret"}),
        (
            exchange,
            {
                "grant_type": "authorization_code",
                "code": "AQC-code",
                "code_verifier": "V-verifier",
                "redirect_uri": "http://127.0.0.1:8765/callback",
            },
        ),
        (client_credentials, {"grant_type": "client_credentials"}),
    ],
)
def test_an_app_with_a_secret_sends_it_to_get_a_token(spotify, accounts, trade, form):
    trade(accounts)

    (request,) = spotify.requests
    assert request.headers["Authorization"] == f"Basic {BASIC}"
    assert request.form == form


@pytest.mark.parametrize("trade", [refresh, exchange])
def test_an_app_without_a_secret_sends_only_its_client_id(spotify, accounts, trade):
    trade(accounts, app_secret="")

    (request,) = spotify.requests
    assert "Authorization" not in request.headers
    assert request.form["client_id"] == "app"


@TRADES
@pytest.mark.parametrize("refresh_token", [None, "AQ-2"], ids=["kept", "rotated"])
def test_a_token_response_can_include_a_new_refresh_token(spotify, accounts, trade, refresh_token):
    spotify.tokens = [a_grant("BQ", 3600, rotated_to=refresh_token)]

    grant = trade(accounts)

    assert (grant.access_token, grant.expires_in_s) == ("BQ", 3600)
    assert grant.refresh_token == refresh_token


@pytest.mark.parametrize(
    ("sent", "lifetime_s"),
    [
        ('"3600"', 3_600),
        ("3599.9", 3_599),
        ("60", 60),
        *[
            (odd, 3_600)
            for odd in ("59.9", "0", "true", '"soon"', "null", "-1", "86401", "1e400", "NaN", "[]")
        ],
        ("9" * 5_000, 3_600),
    ],
    ids=lambda value: str(value)[:10],
)
def test_an_invalid_expires_in_counts_as_an_hour(spotify, accounts, sent, lifetime_s):
    spotify.tokens = [Reply(f'{{"access_token":"BQ","expires_in":{sent}}}'.encode())]

    grant = refresh(accounts)

    assert (grant.access_token, grant.expires_in_s) == ("BQ", lifetime_s)


@pytest.mark.parametrize("sent", ["", None, 7, [], {"a": 1}, "A\nQ", "\ud800"], ids=repr)
def test_invalid_fields_of_a_token_response_count_as_missing(spotify, accounts, sent):
    odd = dict.fromkeys(("refresh_token", "scope", "token_type"), sent)
    spotify.tokens = [json_reply({"access_token": "BQ", **odd})]

    grant = refresh(accounts)

    assert (grant.access_token, grant.refresh_token) == ("BQ", None)


def test_printing_a_token_response_hides_its_tokens(spotify, accounts):
    spotify.tokens = [a_grant("BQ-secret", rotated_to="AQ-secret")]

    assert "secret" not in repr(refresh(accounts))


def oauth_error(code, status=400, description: str | None = "words"):
    return json_reply({"error": code, "error_description": description}, status)


@TRADES
@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (oauth_error("invalid_grant"), SpotifyLoginError, "refuses the grant: invalid_grant"),
        (oauth_error("invalid_grant", 400, None), SpotifyLoginError, "the grant: invalid_grant"),
        (oauth_error("invalid_client"), SpotifyAuthError, "refuses the app: invalid_client"),
        (oauth_error("invalid_client", 401), SpotifyAuthError, "refuses the app: invalid_client"),
        (oauth_error("unauthorized_client"), SpotifyAuthError, "the app: unauthorized_client"),
        (oauth_error("server_error"), SpotifyError, "status 400: server_error"),
        (oauth_error("invalid_request"), SpotifyError, "status 400: invalid_request"),
        (oauth_error("invalid_grant", 500), SpotifyError, "status 500: invalid_grant"),
        (Reply(b"upstream connect error", 503), SpotifyError, "status 503"),
        (Reply(b"forbidden", 403), SpotifyError, "status 403"),
        (Reply(b"no", 401), SpotifyError, "status 401"),
        (Reply(b"<html>", 200), SpotifyError, "no readable token"),
        (json_reply({"access_token": "BQ\nX-Injected: y"}), SpotifyError, "no readable token"),
        (json_reply({"expires_in": 3600}), SpotifyError, "no readable token"),
    ],
    ids=lambda value: getattr(value, "body", b"").decode()[:50] or None,
)
def test_the_error_code_of_the_token_endpoint_decides_the_exception_class(  # noqa: PLR0917 - table
    spotify, accounts, trade, reply, error, words
):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError, match=f"{words}$") as failure:
        trade(accounts)

    assert type(failure.value) is error


# Secrets

SECRETS = ("BQ-secret", "AQ-secret", "AQC-code", "V-verifier", "app-secret", BASIC)
ECHO = " ".join(SECRETS)
ECHOES = [
    Reply(json.dumps({"access_token": "BQ-secret", "refresh_token": "AQ-secret"}).encode(), 203),
    Reply(ECHO.encode(), 500),
    Reply(ECHO.encode(), 302, {"Location": f"https://example.test/?code={ECHO}"}),
    Reply(b"", 204),
    oauth_error("invalid_grant", 400, ECHO),
    oauth_error("invalid_client", 401, ECHO),
    oauth_error(ECHO, 400, ECHO),
    oauth_error("server_error", 503, ECHO),
    Reply(ECHO.encode(), 429),
    Reply(ECHO.encode(), 200),
    json_reply({"access_token": ECHO, "refresh_token": ECHO}),
]


def everything_of(error):
    """Return all that a log or a debugger could show of an error and its causes."""
    seen = []
    while error is not None:
        seen += [repr(error), repr(vars(error)), *map(repr, error.args)]
        # The errors of requests and of json hold what was sent and received.
        assert not isinstance(error, requests.RequestException | json.JSONDecodeError)
        error = error.__cause__ or error.__context__
    return " ".join(seen)


@TRADES
@pytest.mark.parametrize("reply", ECHOES, ids=lambda reply: f"{reply.status} {reply.body[:25]}")
def test_a_token_endpoint_response_is_never_quoted(spotify, accounts, reply, trade):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError) as failure:
        trade(accounts)

    assert not any(secret in everything_of(failure.value) for secret in SECRETS)


def test_if_the_token_endpoint_is_unreachable_no_secret_is_in_the_error(session, closed_url):
    with pytest.raises(SpotifyError) as failure:
        refresh(SpotifyAccounts(session, closed_url))

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
def test_text_that_looks_like_a_secret_is_removed_from_error_messages(spotify, api, status, echo):
    spotify.pages = [Reply(echo.encode(), status)]

    with pytest.raises(SpotifyError) as refusal:
        api.recently_played("BQ-1")

    assert "…" in str(refusal.value)
    assert not any(
        secret in str(refusal.value) for secret in (BASIC, "BQ-another", "x" * 32, "AQC-_9", "BQ-1")
    )
