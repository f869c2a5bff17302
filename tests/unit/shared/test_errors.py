"""The error classes: their bases, and the waits they carry."""

import pytest

from shared.errors import (
    DatabaseAwayError,
    DatabaseError,
    DatabaseLoginError,
    DatabaseRefusalError,
    FeatureSourceError,
    HistoryError,
    SpotifyRateLimitError,
)
from shared.postgres import Address


def test_a_database_login_error_is_retryable_but_refused_data_is_not():
    assert issubclass(DatabaseLoginError, DatabaseAwayError)
    assert not issubclass(DatabaseRefusalError, DatabaseAwayError)
    assert issubclass(DatabaseRefusalError, DatabaseError)
    assert issubclass(DatabaseError, HistoryError)


@pytest.mark.parametrize(
    ("wait_s", "message"),
    [
        (30, "rate limited by Spotify for 30 s"),
        (0, "rate limited by Spotify for 0 s"),
        (None, "rate limited by Spotify for an unknown time"),
    ],
)
def test_a_rate_limit_error_contains_the_retry_delay(wait_s, message):
    error = SpotifyRateLimitError(wait_s)

    assert (str(error), error.retry_after_s) == (message, wait_s)


@pytest.mark.parametrize("wait_s", [None, 30])
def test_a_feature_source_error_can_contain_a_retry_delay(wait_s):
    error = FeatureSourceError("503", wait_s)

    assert (str(error), error.retry_after_s) == ("503", wait_s)


@pytest.mark.parametrize(
    "login",
    ["pa55-hidden", "[" * 60_000, '{"password": "pa55-hidden"}'],
    ids=["no JSON", "deeply nested", "only a password"],
)
def test_the_error_of_an_unreadable_database_login_hides_the_password(login):
    with pytest.raises(ValueError, match="is not JSON with username") as failure:
        Address.of_login(login, host="db.test")

    # The error of json holds the text.
    assert failure.value.__context__ is None
