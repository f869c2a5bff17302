"""Reads the error answers of Spotify; pure."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ValidationError

from shared.json_answers import read_json

_OVER_QUOTA = re.compile(r"quota[ _]exceeded|exceeded\b[^.]{0,80}\bquota")
"""Narrow, because other words about a quota may mean the quota mode of the app."""


@dataclass(frozen=True)
class ApiRefusal:
    """An error answer of the Web API; every field may be empty."""

    message: str = ""
    reason: str = ""
    is_json: bool = False

    @property
    def is_over_quota(self) -> bool:
        """True if the app has used its daily quota."""
        return bool(_OVER_QUOTA.search(self._words))

    @property
    def is_of_limits(self) -> bool:
        """True if the text says that the app is rate-limited, whether the status is 429 or 403."""
        of_a_rate = any(words in self._words for words in ("rate limit", "too many requests"))
        return self.is_over_quota or of_a_rate

    @property
    def forbids_endpoint(self) -> bool:
        """True if the app may not make this call for any account.

        The message is then "Forbidden" or empty. Any other is about the account, such as a missing
        Premium subscription, or is unknown.
        """
        words = self._words.strip(" .")
        return words == "forbidden" or (self.is_json and not words)

    @property
    def _words(self) -> str:
        return f"{self.message} {self.reason}".lower()


def read_grant_refusal(content: bytes) -> str:
    """Return the OAuth error code in an answer of the token endpoint; empty if it is unknown."""
    try:
        return _GrantRefusal.model_validate(read_json(content)).error
    except ValidationError:
        return ""


def read_api_refusal(content: bytes) -> ApiRefusal:
    """Read an error answer of the Web API, which is JSON or plain text."""
    value = read_json(content)
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        message, reason = (str(error.get(name) or "") for name in ("message", "reason"))
        return ApiRefusal(message, reason, is_json=True)
    if isinstance(error, str):
        return ApiRefusal(error, is_json=True)
    return ApiRefusal(content.decode("utf-8", "replace"))


class _GrantRefusal(BaseModel):
    """An OAuth error of the token endpoint: `error` is its code.

    Errors of the Web API hold an object there instead. Only known codes are read, because the
    description or an unknown code could hold a secret.

    Source:
        https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    """

    error: Literal[
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "server_error",
        "temporarily_unavailable",
    ]
