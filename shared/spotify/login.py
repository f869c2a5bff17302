"""What all who call Spotify do alike: read a login's secret, and keep an access token."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.spotify.wire import TOKEN_MARGIN, Grant


@dataclass(frozen=True)
class KeptToken:
    """An access token, kept as long as it and the warm container live."""

    text: str = field(repr=False)
    of: str
    """Whom it serves: an app, or a grant; never a secret."""
    usable_until: datetime

    def serves(self, of: str, now: datetime) -> bool:
        """Whether it is to be used for an app or a grant now."""
        return self.of == of and now < self.usable_until


def keep(grant: Grant, of: str, asked_at: datetime) -> KeptToken:
    """Keep an access token until a minute before it expires."""
    expires_at = asked_at + timedelta(seconds=grant.expires_in_s)
    return KeptToken(grant.access_token, of, expires_at - TOKEN_MARGIN)


def read_secret(secretsmanager: Any, name: str) -> str | None:
    """Read a secret; None where it is missing or never had a value, which AWS calls alike."""
    try:
        return str(secretsmanager.get_secret_value(SecretId=name).get("SecretString", ""))
    except secretsmanager.exceptions.ResourceNotFoundException:
        return None
