"""Spotify's error responses, word for word as users of the API recorded them.

Some are JSON without a message, some are plain text. A client must not rely on either.
"""

from werkzeug import Response

from infra.local.simulators.server import json_response

NO_PREMIUM = (
    "Active premium subscription required for the owner of the app. When the subscription status "
    "changes, it can take a few hours before requests are allowed again."
)
NOT_REGISTERED = "User not registered in the Developer Dashboard"
TOO_MANY = "Too many requests"


def api_error(status: int, message: str | None = None, reason: str | None = None) -> Response:
    """Refuse as the web API does: a nested body, in which only the status is always present."""
    fields = {"status": status, "message": message, "reason": reason}
    return json_response({"error": {k: v for k, v in fields.items() if v is not None}}, status)


def oauth_error(error: str, description: str) -> Response:
    """Refuse as the accounts service does: a flat body, always with status 400."""
    return json_response({"error": error, "error_description": description}, 400)


def plain_text(status: int, text: str) -> Response:
    """Refuse in plain text, as a gateway in front of the service does."""
    return Response(text, status, mimetype="text/plain")


def wait(refusal: Response, retry_after_s: int) -> Response:
    """Add a `Retry-After` header to an error response."""
    refusal.headers["Retry-After"] = str(retry_after_s)
    return refusal
