"""What Spotify's refusals look like, and how to read them; pure."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ValidationError

from shared.json_answers import read_json

_OVER_QUOTA = re.compile(r"quota[ _]exceeded|exceeded\b[^.]{0,80}\bquota")
"""Other words of a quota may be about the mode of the app."""


@dataclass(frozen=True)
class ApiRefusal:
    """What the Web API says when it refuses a call; all of it may be empty."""

    message: str = ""
    reason: str = ""
    is_json: bool = False

    @property
    def is_over_quota(self) -> bool:
        """True if the app has used up its calls of a day."""
        return bool(_OVER_QUOTA.search(self._words))

    @property
    def is_of_limits(self) -> bool:
        """True if the app called too often, whatever the status."""
        of_a_rate = any(words in self._words for words in ("rate limit", "too many requests"))
        return self.is_over_quota or of_a_rate

    @property
    def is_of_the_endpoint(self) -> bool:
        """True if the app may not make this call, whoever asks and whatever it asks for.

        Spotify then says "Forbidden", or nothing but the status. Other words are about the account,
        such as a missing Premium subscription, or have no known meaning.
        """
        words = self._words.strip(" .")
        return words == "forbidden" or (self.is_json and not words)

    @property
    def _words(self) -> str:
        return f"{self.message} {self.reason}".lower()


def read_grant_refusal(content: bytes) -> str:
    """Return the code of a refusal by the token endpoint; empty if it is none that OAuth knows."""
    try:
        return _GrantRefusal.model_validate(read_json(content)).error
    except ValidationError:
        return ""


def read_api_refusal(content: bytes) -> ApiRefusal:
    """Read a refusal by the Web API, which is JSON or plain text."""
    value = read_json(content)
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        message, reason = (str(error.get(name) or "") for name in ("message", "reason"))
        return ApiRefusal(message, reason, is_json=True)
    if isinstance(error, str):
        return ApiRefusal(error, is_json=True)
    return ApiRefusal(content.decode("utf-8", "replace"))


class _GrantRefusal(BaseModel):
    """A flat OAuth error, unlike the nested one of the Web API.

    Its code alone is read: the description, or an unknown code, could repeat a secret.

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
