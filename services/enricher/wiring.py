"""What the enricher and the healer are put together from alike."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from services.enricher.settings import AskingSettings
from services.enricher.sources import reccobeats, spotify
from services.enricher.sources.reccobeats import ReccoBeats
from services.enricher.sources.source import FeatureSource, UsualIdsOnly, choose
from services.enricher.sources.spotify import SpotifyFeatures
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.answers import Session
from shared.aws import client
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps

ASKING_SHARE = 2 / 3
"""Of the time that is left to an invocation; the rest is for publishing and remembering."""


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def time_for_asking(context: LambdaContext) -> timedelta:
    """Tell for how long an invocation may ask sources."""
    return timedelta(milliseconds=context.get_remaining_time_in_millis() * ASKING_SHARE)


def sources(settings: AskingSettings) -> dict[str, FeatureSource]:
    """Make the configured sources."""
    makers: dict[str, Callable[[], FeatureSource]] = {
        reccobeats.NAME: lambda: UsualIdsOnly(_reccobeats(settings)),
        spotify.NAME: lambda: UsualIdsOnly(_spotify(settings)),
    }
    return choose(settings.source_names, makers)


def _reccobeats(settings: AskingSettings) -> ReccoBeats:
    session = Session()
    # Looking for proxies and .netrc cost more than the rest of a call.
    session.trust_env = False
    return ReccoBeats(settings.reccobeats_url, session, now)


def _spotify(settings: AskingSettings) -> SpotifyFeatures:
    session = open_session()
    calls = SpotifyCalls(
        secretsmanager=client("secretsmanager"),
        secret=settings.spotify_app_secret,
        accounts=SpotifyAccounts(session, settings.spotify_accounts_url),
        apps=SpotifyApps(client("dynamodb"), settings.spotify_app_table),
        daily_calls=settings.spotify_daily_calls,
        now=now,
    )
    return SpotifyFeatures(SpotifyApi(session, settings.spotify_api_url), calls, now)
