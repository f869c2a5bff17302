"""Reads the secret of a login, and caches access tokens."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.spotify.wire import TOKEN_MARGIN, Grant


@dataclass(frozen=True)
class KeptToken:
    """An access token that a warm container caches."""

    text: str = field(repr=False)
    of: str
    """The id of its app or login; not a secret."""
    usable_until: datetime

    def serves(self, of: str, now: datetime) -> bool:
        """True if the token belongs to the app or login `of` and has not expired."""
        return self.of == of and now < self.usable_until


def keep(grant: Grant, of: str, asked_at: datetime) -> KeptToken:
    """Return an access token for the cache, usable until a minute before it expires."""
    expires_at = asked_at + timedelta(seconds=grant.expires_in_s)
    return KeptToken(grant.access_token, of, expires_at - TOKEN_MARGIN)


def read_secret(secretsmanager: Any, name: str) -> str | None:
    """Read a secret; None if it does not exist or has no value (AWS raises one error for both)."""
    try:
        return str(secretsmanager.get_secret_value(SecretId=name).get("SecretString", ""))
    except secretsmanager.exceptions.ResourceNotFoundException:
        return None
