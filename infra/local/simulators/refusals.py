"""What Spotify's refusals look like, word for word as users of the API recorded them.

Some are JSON without a message, some plain text: a client must not take either for granted.
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
    """Refuse as the web API does: a nested body, in which all but the status may be missing."""
    told = {"status": status, "message": message, "reason": reason}
    return json_response({"error": {k: v for k, v in told.items() if v is not None}}, status)


def oauth_error(error: str, description: str) -> Response:
    """Refuse as the accounts service does: a flat body, and 400 for all of it."""
    return json_response({"error": error, "error_description": description}, 400)


def plain_text(status: int, text: str) -> Response:
    """Refuse as a gateway before the service does."""
    return Response(text, status, mimetype="text/plain")


def wait(refusal: Response, retry_after_s: int) -> Response:
    """Add `Retry-After` to a refusal."""
    refusal.headers["Retry-After"] = str(retry_after_s)
    return refusal
