"""Lambda entry point of the collector: poll Spotify for one listener."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from services.collector.credentials import AccessTokens, CredentialStore
from services.collector.poll import Collector
from services.collector.state import ListenerStates
from shared.archive import Archive
from shared.aws import client
from shared.errors import MessageError
from shared.models import Listener
from shared.queues import Queue
from shared.settings import Settings
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps
from shared.telemetry import logger, metrics


class CollectorSettings(Settings):
    """The environment variables of the collector."""

    listener_secret_prefix: str
    listener_state_table: str
    spotify_app_table: str
    archive_bucket: str
    collected_plays_queue_url: str
    spotify_api_url: str
    """`https://api.spotify.com/v1`, or a simulator's; the version is optional."""
    spotify_accounts_url: str
    """`https://accounts.spotify.com`, or a simulator's."""


class PollEvent(BaseModel):
    """The event that the schedule sends: the listener to poll for."""

    listener: Listener


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Poll for one listener; return the outcome.

    Raises:
        MessageError: The event names no listener.
        SpotifyError: Spotify failed. The invocation fails, and its alarm rings.
    """
    try:
        poll = PollEvent.model_validate(event)
    except ValidationError as error:
        raise MessageError('the event must name a listener: {"listener": "me"}') from error
    return wire().poll(poll.listener).model_dump(mode="json", exclude_none=True)


@cache
def wire() -> Collector:
    """Build the collector from its settings, once per container."""
    settings = CollectorSettings.from_environment()
    session, dynamodb = open_session(), client("dynamodb")
    credentials = CredentialStore(client("secretsmanager"), settings.listener_secret_prefix)
    accounts = SpotifyAccounts(session, settings.spotify_accounts_url)
    return Collector(
        spotify=SpotifyApi(session, settings.spotify_api_url),
        credentials=credentials,
        tokens=AccessTokens(accounts, credentials, _now),
        states=ListenerStates(dynamodb, settings.listener_state_table),
        apps=SpotifyApps(dynamodb, settings.spotify_app_table),
        archive=Archive(client("s3"), settings.archive_bucket),
        queue=Queue(client("sqs"), settings.collected_plays_queue_url),
        clock=_now,
    )


def _now() -> datetime:
    # In milliseconds, as in the key of the archived answer.
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)
