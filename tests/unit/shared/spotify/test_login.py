from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from shared.aws import client
from shared.spotify.login import keep, read_secret
from shared.spotify.wire import Grant

ASKED_AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
GRANT = Grant("BQ-hidden", 3600, None)


@pytest.mark.parametrize(
    ("of", "after", "serves"),
    [
        ("app", timedelta(0), True),
        ("app", timedelta(minutes=58, seconds=59), True),
        ("app", timedelta(minutes=59), False),
        ("another", timedelta(0), False),
    ],
    ids=["fresh", "old", "about to expire", "of another"],
)
def test_a_cached_token_is_used_until_a_minute_before_expiry(of, after, serves):
    assert keep(GRANT, "app", ASKED_AT).serves(of, ASKED_AT + after) is serves


def test_printing_a_cached_token_hides_it():
    assert "hidden" not in repr(keep(GRANT, "app", ASKED_AT))


@pytest.fixture
def secretsmanager(cloud):
    return client("secretsmanager")


def test_read_secret_returns_the_value_of_the_named_secret(secretsmanager):
    secretsmanager.create_secret(Name="full", SecretString="text")

    assert read_secret(secretsmanager, "full") == "text"


def test_a_missing_or_empty_secret_is_read_as_none(secretsmanager):
    secretsmanager.create_secret(Name="empty")

    assert [read_secret(secretsmanager, name) for name in ("missing", "empty")] == [None, None]


def test_a_secret_marked_for_deletion_raises_instead_of_none(secretsmanager):
    secretsmanager.create_secret(Name="deleted", SecretString="text")
    secretsmanager.delete_secret(SecretId="deleted")

    with pytest.raises(ClientError, match="InvalidRequestException"):
        read_secret(secretsmanager, "deleted")
