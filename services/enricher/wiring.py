"""Builds what the enricher and the healer share: the sources, the time limit and the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import requests
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.enricher.settings import EnricherSettings
from services.enricher.sources import reccobeats, spotify
from services.enricher.sources.reccobeats import ReccoBeats
from services.enricher.sources.source import FeatureSource
from services.enricher.sources.spotify import SpotifyFeatures
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.aws import client
from shared.errors import SettingsError
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps

ASKING_SHARE = 2 / 3
"""Share of an invocation's remaining time for calls to sources; the rest is to publish and save."""


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def time_for_asking(context: LambdaContext) -> timedelta:
    """Return how long an invocation may call feature sources: 2/3 of its remaining time."""
    return timedelta(milliseconds=context.get_remaining_time_in_millis() * ASKING_SHARE)


def sources(settings: EnricherSettings) -> dict[str, FeatureSource]:
    """Return the configured sources by name, in the order in which they are asked.

    Raises:
        SettingsError: A name in FEATURE_SOURCES is not that of a source.
    """
    makers: dict[str, Callable[[EnricherSettings], FeatureSource]] = {
        reccobeats.NAME: _reccobeats,
        spotify.NAME: _spotify,
    }
    for name in settings.source_names:
        if name not in makers:
            known = ", ".join(makers)
            raise SettingsError(f"FEATURE_SOURCES names no known source: {name!r}. Use {known}")
    return {name: makers[name](settings) for name in settings.source_names}


def _reccobeats(settings: EnricherSettings) -> ReccoBeats:
    session = requests.Session()
    # Looking for proxies and a .netrc file takes longer than the rest of a call.
    session.trust_env = False
    return ReccoBeats(settings.reccobeats_url, session, now)


def _spotify(settings: EnricherSettings) -> SpotifyFeatures:
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
